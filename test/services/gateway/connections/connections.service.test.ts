import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseMember } from '../../../../shared/store/keys.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { until } from '../../../support/machine/wait.ts';
import { startTcpProxy } from '../../../support/proxies/tcp-proxy.ts';
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts';
import {
  type Environment,
  type InProcess,
  runGateway,
  runTicketService,
  storeTicket,
} from '../../../support/services/in-process.ts';
import { startService } from '../../../support/services/services.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWithTicket, Refused } from '../../../support/sockets/web-socket.ts';

/** So long that nothing in a test comes from it. */
const NEVER = '3600';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  await redis.call('FLUSHALL');
});

const start = (env: Environment = {}): Promise<InProcess> =>
  runGateway({ REDIS_URL: redis.url, GATEWAY_ID: 'gateway-1', LEASE_SECONDS: NEVER, HEARTBEAT_SECONDS: NEVER, ...env });

const recordOf = (id: string): Promise<Record<string, string>> =>
  redis.client.hgetall(`oncegate:ticket:{${id.slice(0, 11)}}${id.slice(11)}`);
const placesOf = async (id: string): Promise<Array<string | undefined>> => {
  const members = await redis.client.zrange(`oncegate:connections:{${id.slice(0, 11)}}`, '0', '-1');
  return members.map((member) => parseMember(member)?.id);
};

/** Waits until a ticket's record has these fields. */
async function recorded(id: string, fields: Record<string, string>): Promise<void> {
  await until(async () => {
    expect(await recordOf(id)).toMatchObject(fields);
    return true;
  });
}

const eventsOf = ({ log }: InProcess, id: string): unknown[] =>
  log.filter((line) => line.ticket_id === id).map(({ event }) => event);

const heard = (gatewayId: string) =>
  until(async () => {
    const reply = await redis.call('PUBSUB', 'NUMSUB', `oncegate:control:${gatewayId}`);
    return Array.isArray(reply) && reply[1] === 1;
  });

async function ask(service: InProcess, method: string, path: string, subject = 'ada'): Promise<number> {
  const headers = { Authorization: await bearer(subject) };
  return (await fetch(`http://127.0.0.1:${service.port}${path}`, { method, headers })).status;
}

/** A way through the event loop: whatever was sent to the gateway before has been read by then. */
async function turn({ adminPort }: InProcess): Promise<void> {
  await (await fetch(`http://127.0.0.1:${adminPort}/livez`)).text();
}

describe('the record of a ticket', () => {
  test('follows its connection: open, then closed with the code and the reason of the client', async () => {
    const gateway = await start();
    const ticket = await storeTicket(gateway.store, { claims: '{"room":7}', clientClaims: '{"n":1}' });
    const client = await openWithTicket(gateway.port, ticket.value);

    expect(JSON.parse(String(client.messages[0]))).toEqual({
      type: 'hello',
      ticket_id: ticket.id,
      subject: 'ada',
      claims: { room: 7 },
      client_claims: { n: 1 },
    });
    const open = await recordOf(ticket.id);
    expect(open).toMatchObject({
      state: 'open',
      gateway: 'gateway-1',
      attempts: '1',
      last_attempt_outcome: 'admitted',
      last_attempt_status: '101',
      last_attempt_gateway: 'gateway-1',
      last_attempt_address: '127.0.0.1',
    });
    expect(open).not.toHaveProperty('closed_at');
    expect(await placesOf(ticket.id)).toEqual([ticket.id]);
    expect(await gateway.metric('oncegate_connections_open')).toBe(1);

    client.socket.close(4321, 'gone home');
    await recorded(ticket.id, { state: 'closed', close_code: '4321', close_reason: 'gone home' });
    expect(Number((await recordOf(ticket.id)).closed_at)).toBeGreaterThanOrEqual(Number(open.opened_at));
    expect(await placesOf(ticket.id)).toEqual([]);
    expect(await gateway.metric('oncegate_connections_open')).toBe(0);
    expect(await gateway.metric('oncegate_connections_closed_total{code="other"}')).toBe(1);
    expect(await gateway.metric('oncegate_handshakes_total{outcome="admitted"}')).toBe(1);
    expect(eventsOf(gateway, ticket.id)).toEqual(['open', 'close']);
    expect(gateway.log.find(({ event }) => event === 'close')).toMatchObject({
      ticket_id: ticket.id,
      subject: 'ada',
      gateway: 'gateway-1',
      code: 4321,
      reason: 'gone home',
    });
  });

  test.each([
    ['1005 after a Close frame without a code', (socket: { close(): void }) => socket.close(), '1005'],
    ['1006 after a socket that just ended', (socket: { terminate(): void }) => socket.terminate(), '1006'],
  ])('says %s', async (_name, end, code) => {
    const gateway = await start();
    const ticket = await storeTicket(gateway.store);
    end((await openWithTicket(gateway.port, ticket.value)).socket);

    await recorded(ticket.id, { state: 'closed', close_code: code });
    expect(await recordOf(ticket.id)).not.toHaveProperty('close_reason');
    expect(await gateway.metric(`oncegate_connections_closed_total{code="${code}"}`)).toBe(1);
  });

  test.each([
    ['has closed its side', (socket: { end(): void }) => socket.end()],
    ['has reset the connection', (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
  ])('says closed, and nothing is left, where the client %s while the store was asked', async (_name, leave) => {
    const gateway = await start();
    const ticket = await storeTicket(gateway.store);
    await redis.pause();
    const client = await openRaw(gateway.port);
    client.send(upgradeRequest({ target: `/?ticket=${ticket.value}` }));
    await turn(gateway);
    leave(client.socket);
    await turn(gateway);
    redis.resume();

    await recorded(ticket.id, { state: 'closed', close_code: '1006', close_reason: 'client_gone' });
    await client.closed;
    expect(client.received.toString()).toBe('');
    expect(await placesOf(ticket.id)).toEqual([]);
    expect(await gateway.metric('oncegate_connections_open')).toBe(0);
    expect(eventsOf(gateway, ticket.id)).toEqual(['close']);
  });

  test('has an ending that came while Redis was away, once it is back', async () => {
    const gate = await startTcpProxy(redis);
    const gateway = await start({ REDIS_URL: `redis://127.0.0.1:${gate.port}` });
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);
    gate.cut();
    await until(() => !gateway.store.ready);
    client.socket.close(4000, 'offline');
    await until(() => eventsOf(gateway, ticket.id).includes('close'));
    expect(await recordOf(ticket.id)).toMatchObject({ state: 'open' });
    gate.restore();

    await recorded(ticket.id, { state: 'closed', close_code: '4000', close_reason: 'offline' });
    expect(await placesOf(ticket.id)).toEqual([]);
  });

  test('is written again where Redis has lost it, and the ticket stays spent', async () => {
    const gateway = await start({ LEASE_SECONDS: '1' });
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);
    await redis.call('FLUSHALL');

    await recorded(ticket.id, { state: 'open', subject: 'ada', gateway: 'gateway-1' });
    await expect(openWithTicket(gateway.port, ticket.value)).rejects.toMatchObject({ status: 401 });
    client.socket.close(1000);
    await recorded(ticket.id, { state: 'closed', close_code: '1000' });
  });
});

describe('a lease', () => {
  test('is renewed for as long as the connection is open', async () => {
    const gateway = await start({ LEASE_SECONDS: '1' });
    const ticket = await storeTicket(gateway.store);
    await openWithTicket(gateway.port, ticket.value);
    const deadline = async (): Promise<number> =>
      Number(
        (await redis.client.zrange(`oncegate:connections:{${ticket.id.slice(0, 11)}}`, '0', '0', 'WITHSCORES'))[1],
      );
    const first = await deadline();

    await until(async () => (await deadline()) > first + 1_000);
    expect((await gateway.store.read(ticket.id))?.state).toBe('open');
  });

  test('frees the place of a connection whose gateway was killed', async () => {
    const env = {
      REDIS_URL: redis.url,
      LEASE_SECONDS: '1',
      MAX_CONNECTIONS_PER_SUBJECT: '1',
    };
    const killed = await startService('gateway', { ...env, GATEWAY_ID: 'gateway-2' });
    await until(async () => (await fetch(`http://127.0.0.1:${killed.adminPort}/readyz`)).ok);
    const gateway = await start(env);
    const ticket = await storeTicket(gateway.store);
    await openWithTicket(killed.port, ticket.value);
    const another = async () => openWithTicket(gateway.port, (await storeTicket(gateway.store)).value);
    await expect(another()).rejects.toMatchObject({ status: 429, code: 'connection_limit' });
    killed.signal('SIGKILL');
    await killed.exited;

    const client = await until(another, { everyMs: 50, what: 'the place is free' });
    expect(client.messages).toHaveLength(1);
    expect(await gateway.store.read(ticket.id)).toMatchObject({
      state: 'closed',
      closeCode: 1006,
      gatewayId: 'gateway-2',
    });
  });

  test('gives a place back at once where the connection was closed', async () => {
    const gateway = await start({ MAX_CONNECTIONS_PER_SUBJECT: '1' });
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);
    await expect(openWithTicket(gateway.port, (await storeTicket(gateway.store)).value)).rejects.toBeInstanceOf(
      Refused,
    );
    client.socket.close(1000);
    await recorded(ticket.id, { state: 'closed' });

    await openWithTicket(gateway.port, (await storeTicket(gateway.store)).value);
  });
});

describe('DELETE of an open connection', () => {
  test('closes it with 3003 through the control channel of its gateway', async () => {
    const gateway = await start();
    const service = await runTicketService({ REDIS_URL: redis.url });
    await heard('gateway-1');
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);

    expect(await ask(service, 'DELETE', `/tickets/${ticket.id}`)).toBe(204);
    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
    await until(async () => (await recordOf(ticket.id)).closed_at !== undefined);
    expect(await recordOf(ticket.id)).toMatchObject({ state: 'revoked', close_code: '3003', close_reason: 'revoked' });
    expect(await placesOf(ticket.id)).toEqual([]);
    expect(await gateway.metric('oncegate_connections_closed_total{code="3003"}')).toBe(1);
    expect(service.log).toContainEqual(
      expect.objectContaining({ event: 'revoke', ticket_id: ticket.id, subject: 'ada' }),
    );
  });

  test('closes it with the next lease where the message is lost', async () => {
    const gateway = await start({ LEASE_SECONDS: '1' });
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);
    await gateway.store.revoke({ id: ticket.id, subject: 'ada' });

    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
  });

  test('closes it where the control channel has just been cut', async () => {
    const gateway = await start({ LEASE_SECONDS: '1' });
    const service = await runTicketService({ REDIS_URL: redis.url });
    await heard('gateway-1');
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');

    expect(await ask(service, 'DELETE', `/tickets/${ticket.id}`)).toBe(204);
    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
  });

  test('goes through the control channel again once that is back', async () => {
    const gateway = await start();
    const service = await runTicketService({ REDIS_URL: redis.url });
    await heard('gateway-1');
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await heard('gateway-1');

    expect(await ask(service, 'DELETE', `/tickets/${ticket.id}`)).toBe(204);
    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
  });

  test('of somebody else leaves it open', async () => {
    const gateway = await start();
    const service = await runTicketService({ REDIS_URL: redis.url });
    await heard('gateway-1');
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);

    expect(await ask(service, 'DELETE', `/tickets/${ticket.id}`, 'mallory')).toBe(404);
    client.socket.send('still here');
    await until(() => client.messages.includes('still here'));
    expect(await recordOf(ticket.id)).toMatchObject({ state: 'open' });
  });

  test('ends also a client that does not answer the Close frame', async () => {
    const gateway = await start({ HEARTBEAT_SECONDS: '1' });
    await heard('gateway-1');
    const ticket = await storeTicket(gateway.store);
    const client = await openRaw(gateway.port);
    client.send(upgradeRequest({ target: `/?ticket=${ticket.value}` }));
    await until(() => client.received.includes('hello'));
    await gateway.store.revoke({ id: ticket.id });
    await gateway.store.command('gateway-1', { command: 'close', ticket_id: ticket.id, reason: 'revoked' });

    await client.closed;
    await until(async () => (await recordOf(ticket.id)).closed_at !== undefined);
    expect(await placesOf(ticket.id)).toEqual([]);
  });
});

describe('a session', () => {
  test('that runs out closes the connection with 3000', async () => {
    const gateway = await start({ HEARTBEAT_SECONDS: '1' });
    const ticket = await storeTicket(gateway.store, { maxSessionMs: 400 });
    const client = await openWithTicket(gateway.port, ticket.value);

    expect(await client.closed).toEqual({ code: 3000, reason: 'session_expired' });
    await recorded(ticket.id, { state: 'closed', close_code: '3000', close_reason: 'session_expired' });
    const { closed_at, session_expires_at } = await recordOf(ticket.id);
    expect(Number(closed_at)).toBeGreaterThanOrEqual(Number(session_expires_at));
  });

  test('ends with the credentials that asked for the ticket', async () => {
    const service = await runTicketService({ REDIS_URL: redis.url });
    const exp = Math.floor(Date.now() / 1000) + 100;
    const issued = await fetch(`http://127.0.0.1:${service.port}/tickets`, {
      method: 'POST',
      headers: { Authorization: await bearer('ada', '100s') },
    });
    const { id } = (await issued.json()) as { id: string }; // a 201 has one
    expect(issued.status).toBe(201);

    const end = Number((await recordOf(id)).session_expires_at);
    expect(Math.abs(end - exp * 1000)).toBeLessThanOrEqual(2_000);
  });

  test('that is renewed in time goes on past its old end', async () => {
    const gateway = await start({ HEARTBEAT_SECONDS: '1' });
    const service = await runTicketService({ REDIS_URL: redis.url });
    await heard('gateway-1');
    const ticket = await storeTicket(gateway.store, { maxSessionMs: 2_000 });
    const client = await openWithTicket(gateway.port, ticket.value);
    const oldEnd = Number((await recordOf(ticket.id)).session_expires_at);

    expect(await ask(service, 'POST', `/tickets/${ticket.id}/renew`)).toBe(200);
    expect(Number((await recordOf(ticket.id)).session_expires_at)).toBeGreaterThan(oldEnd + 60_000);
    // Two beats of the gateway's clock past the old end.
    await until(() => Date.now() > oldEnd + 700, { everyMs: 20 });
    client.socket.send('still here');
    await until(() => client.messages.includes('still here'));
  });

  test.each([
    ['often', '1'],
    ['rarely', NEVER],
  ])('that is renewed goes on where the message is lost, and leases are renewed %s', async (_name, leaseSeconds) => {
    const gateway = await start({ LEASE_SECONDS: leaseSeconds });
    const ticket = await storeTicket(gateway.store, { maxSessionMs: 2_500 });
    const client = await openWithTicket(gateway.port, ticket.value);
    const oldEnd = Number((await recordOf(ticket.id)).session_expires_at);
    await gateway.store.renew({ id: ticket.id, subject: 'ada', maxSessionMs: 60_000 });

    await until(() => Date.now() > oldEnd + 700, { everyMs: 20 });
    client.socket.send('still here');
    await until(() => client.messages.includes('still here'));
  });
});

test('a heartbeat that is not answered closes with 3008, one that is does not', async () => {
  const gateway = await start({ HEARTBEAT_SECONDS: '1' });
  const ticket = await storeTicket(gateway.store);
  const silent = await openWithTicket(gateway.port, ticket.value, { autoPong: false });
  const lively = await openWithTicket(gateway.port, (await storeTicket(gateway.store)).value);
  let pings = 0;
  lively.socket.on('ping', () => {
    pings += 1;
  });

  expect(await silent.closed).toEqual({ code: 3008, reason: 'heartbeat_missed' });
  await recorded(ticket.id, { state: 'closed', close_code: '3008', close_reason: 'heartbeat_missed' });
  await until(() => pings >= 2);
  expect(lively.closedAt()).toBeUndefined();
});

test('the oldest connection of a subject makes room under "replace", on whichever gateway it is', async () => {
  const env = { MAX_CONNECTIONS_PER_SUBJECT: '2', CONNECTION_LIMIT_POLICY: 'replace' };
  const first = await start(env);
  const second = await start({ ...env, GATEWAY_ID: 'gateway-2' });
  await heard('gateway-1');
  const tickets = [await storeTicket(first.store), await storeTicket(first.store), await storeTicket(first.store)];
  const [oldest, middle, newest] = tickets.map(({ id }) => id);
  const replaced = await openWithTicket(first.port, String(tickets[0]?.value));
  const kept = await openWithTicket(second.port, String(tickets[1]?.value));
  await openWithTicket(second.port, String(tickets[2]?.value));

  expect(await replaced.closed).toEqual({ code: 3003, reason: 'replaced' });
  await until(async () => (await recordOf(String(oldest))).closed_at !== undefined);
  expect(await recordOf(String(oldest))).toMatchObject({
    state: 'revoked',
    close_code: '3003',
    close_reason: 'replaced',
  });
  expect((await placesOf(String(oldest))).sort()).toEqual([middle, newest].sort());
  expect(kept.closedAt()).toBeUndefined();
});
