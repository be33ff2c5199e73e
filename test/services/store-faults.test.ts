import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../shared/store/memory/memory-store.ts';
import type { TicketStore } from '../../shared/store/store.ts';
import { httpRequest } from '../support/http/http-request.ts';
import { until } from '../support/machine/wait.ts';
import { type InProcess, runGateway, runTicketService, storeTicket } from '../support/services/in-process.ts';
import { ask } from '../support/services/ticket-client.ts';
import { openRaw } from '../support/sockets/raw-client.ts';
import { upgradeRequest } from '../support/sockets/upgrade-request.ts';
import { openWithTicket } from '../support/sockets/web-socket.ts';
import { startBackEnd } from '../support/sockets/ws-back-end.ts';
import { handshakeHeaders } from './gateway/fronts/asking-proxies.ts';

const MESSAGE = 'a reply that no script returns';

/** A store of which the operations in `broken` fail with a fault. */
function createFaultyStore(): { readonly store: TicketStore; readonly broken: Set<keyof TicketStore> } {
  const broken = new Set<keyof TicketStore>();
  const fail = () => Promise.reject(new Error(MESSAGE));
  const inner = new MemoryStore({ retentionMs: 60_000, leaseMs: 60_000, historyPerSubject: 1_000 });
  const store = new Proxy(inner, {
    get(target, name) {
      if (broken.has(name as keyof TicketStore)) return fail; // whatever else is asked for is not in the set
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { store, broken };
}

function faultsOf({ log }: InProcess): unknown[] {
  return log.filter(({ event }) => event === 'fault').map(({ message }) => message);
}

/** Everything that the client gets before its socket closes. */
async function answerTo(port: number, request: string): Promise<string> {
  const client = await openRaw(port);
  client.send(request);
  await client.closed;
  return client.received.toString();
}

describe('a gateway whose store answers with garbage', () => {
  test('to consume destroys the socket, admits nobody, and goes on', async () => {
    const { store, broken } = createFaultyStore();
    const gateway = await runGateway({}, { store });
    const ticket = await storeTicket(store);
    broken.add('consume');

    expect(await answerTo(gateway.port, upgradeRequest({ target: `/?ticket=${ticket.value}` }))).toBe('');
    expect(faultsOf(gateway)).toEqual([MESSAGE]);
    expect(await gateway.metric('oncegate_handshakes_total{outcome="admitted"}')).toBe(0);
    expect(await gateway.metric('oncegate_store_errors_total{operation="consume"}')).toBe(1);
    broken.clear();
    await openWithTicket(gateway.port, ticket.value);
  });

  test('to consume gives a proxy that asks no answer', async () => {
    const { store, broken } = createFaultyStore();
    const gateway = await runGateway({ TRUST_PROXY: '127.0.0.1' }, { store });
    const { value } = await storeTicket(store);
    broken.add('consume');
    const headers = { ...handshakeHeaders(), 'X-Forwarded-Uri': `/?ticket=${value}` };

    await expect(httpRequest(gateway.adminPort, '/admit', { headers })).rejects.toThrow();
    expect(faultsOf(gateway)).toEqual([MESSAGE]);
  });

  test('to note destroys the socket', async () => {
    const { store, broken } = createFaultyStore();
    const gateway = await runGateway({}, { store });
    const { value } = await storeTicket(store);
    broken.add('note');
    const request = upgradeRequest({ target: `/?ticket=${value}`, headers: { Origin: 'https://evil.example' } });

    expect(await answerTo(gateway.port, request)).toBe('');
    expect(faultsOf(gateway)).toEqual([MESSAGE]);
  });

  test('to refuse destroys the socket, and the record ends as that of a connection', async () => {
    const { store, broken } = createFaultyStore();
    const backEnd = await startBackEnd({ verifyClient: () => false });
    const gateway = await runGateway({ UPSTREAM_URL: `ws://127.0.0.1:${backEnd.port}` }, { store });
    const { id, value } = await storeTicket(store);
    broken.add('refuse');

    expect(await answerTo(gateway.port, upgradeRequest({ target: `/?ticket=${value}` }))).toBe('');
    expect(faultsOf(gateway)).toEqual([MESSAGE]);
    await until(async () => (await store.read(id))?.state === 'closed', { what: 'the end is recorded' });
    expect(await store.read(id)).toMatchObject({ closeCode: 1006, closeReason: 'upstream_refused' });
  });

  test('to lease and close keeps its connections, and ends the records once it can', async () => {
    const { store, broken } = createFaultyStore();
    const gateway = await runGateway({ LEASE_SECONDS: '1' }, { store });
    const { id, value } = await storeTicket(store);
    const client = await openWithTicket(gateway.port, value);
    broken.add('lease');
    await until(() => faultsOf(gateway).length > 0, { what: 'a lease is a fault' });
    expect(client.closedAt()).toBeUndefined();

    broken.add('close');
    client.socket.close(1000);
    await until(async () => (await gateway.metric('oncegate_store_errors_total{operation="close"}')) > 0);
    broken.clear();
    await until(async () => (await store.read(id))?.closeCode === 1000, { what: 'the end is recorded' });
  });
});

describe('a ticket service whose store answers with garbage', () => {
  const requests = [
    ['issue', 'POST', '/tickets'],
    ['count', 'POST', '/tickets'],
    ['list', 'GET', '/tickets'],
    ['read', 'GET', '/tickets/ID'],
    ['revoke', 'DELETE', '/tickets/ID'],
    ['renew', 'POST', '/tickets/ID/renew'],
  ] as const;

  test.each(requests)('to %s answers 500, and only its log knows why', async (operation, method, path) => {
    const { store, broken } = createFaultyStore();
    const service = await runTicketService({}, { store });
    const { id } = await storeTicket(store);
    broken.add(operation);
    const answer = await ask(service, path.replace('ID', id), { method });

    expect(answer.status).toBe(500);
    expect(answer.body).toEqual({ type: 'about:blank', title: 'Internal Server Error', status: 500 });
    expect(faultsOf(service)).toEqual([MESSAGE]);
    expect(await service.metric(`oncegate_store_errors_total{operation="${operation}"}`)).toBe(1);
    broken.clear();
    expect(await store.read(id)).toMatchObject({ state: 'issued' });
  });
});
