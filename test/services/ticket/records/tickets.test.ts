import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hashSecret } from '../../../../shared/ticket/ticket.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import {
  type InProcess,
  runTicketService,
  type StoredTicket,
  storeTicket,
} from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Consumes a ticket as a gateway does, and returns the attempt. */
async function consume({ store }: InProcess, ticket: StoredTicket, origin = 'https://app.example'): Promise<string> {
  const attemptId = randomUUID();
  await store.consume({
    id: ticket.id,
    secretSha256: hashSecret(ticket.secret),
    attemptId,
    gatewayId: 'gateway-1',
    path: '/',
    origin,
    address: '192.0.2.7',
    bindAddress: false,
    maxConnections: 0,
    limitPolicy: 'refuse',
  });
  return attemptId;
}

describe('GET /tickets?limit=&cursor=', () => {
  test('has 50 tickets on a page, and a cursor for the next as long as there are more', async () => {
    const service = await runTicketService();
    for (let index = 0; index < 120; index += 1) await storeTicket(service.store, { maxPending: 1_000 });
    const seen: string[] = [];
    const sizes: number[] = [];
    let query = '';
    do {
      const { status, body } = await ask(service, `/tickets${query}`);
      const { tickets, next } = body as { tickets: Array<{ id: string }>; next?: string };
      expect(status).toBe(200);
      sizes.push(tickets.length);
      seen.push(...tickets.map(({ id }) => id));
      query = next === undefined ? '' : `?cursor=${next}`;
    } while (query !== '');

    expect(sizes).toEqual([50, 50, 20]);
    expect(new Set(seen).size).toBe(120);
  });

  test('shows only the tickets, if there are no more', async () => {
    const service = await runTicketService();

    expect((await ask(service, '/tickets')).body).toEqual({ tickets: [] });
  });

  test('refuses a limit and a cursor that are none, and names them', async () => {
    const service = await runTicketService();
    const { status, body } = await ask(service, '/tickets?limit=201&cursor=x');

    expect(status).toBe(422);
    expect(body).toMatchObject({ code: 'request_invalid', errors: [{ pointer: '#/limit' }, { pointer: '#/cursor' }] });
  });
});

describe('GET /tickets/<id>', () => {
  test('shows an unspent ticket', async () => {
    const service = await runTicketService();
    const { id } = await storeTicket(service.store, { claims: '{"secret":"of the application"}' });
    const { status, body } = await ask(service, `/tickets/${id}`);

    expect(status).toBe(200);
    expect(body).toEqual({
      id,
      subject: 'ada',
      state: 'issued',
      issued_at: expect.stringMatching(TIME),
      expires_at: expect.stringMatching(TIME),
      opened_at: null,
      closed_at: null,
      session_expires_at: expect.stringMatching(TIME),
      gateway: null,
      close: null,
      attempts: 0,
      last_attempt: null,
    });
  });

  test('shows what became of a ticket that was refused', async () => {
    const service = await runTicketService();
    const ticket = await storeTicket(service.store, { origin: 'https://other.example' });
    await consume(service, ticket, 'https://evil.example');

    expect((await ask(service, `/tickets/${ticket.id}`)).body).toEqual({
      id: ticket.id,
      subject: 'ada',
      state: 'refused',
      issued_at: expect.stringMatching(TIME),
      expires_at: expect.stringMatching(TIME),
      opened_at: null,
      closed_at: null,
      session_expires_at: null,
      gateway: null,
      close: null,
      attempts: 1,
      last_attempt: {
        at: expect.stringMatching(TIME),
        outcome: 'origin_refused',
        status: 403,
        gateway: 'gateway-1',
        origin: 'https://evil.example',
        address: '192.0.2.7',
      },
    });
  });

  test('follows the connection', async () => {
    const service = await runTicketService();
    const ticket = await storeTicket(service.store);
    const attemptId = await consume(service, ticket);
    const open = await ask(service, `/tickets/${ticket.id}`);
    await service.store.close({ id: ticket.id, attemptId, closeCode: 1000, closeReason: '' });
    const closed = await ask(service, `/tickets/${ticket.id}`);

    expect(open.body).toMatchObject({
      state: 'open',
      gateway: 'gateway-1',
      opened_at: expect.stringMatching(TIME),
      closed_at: null,
      close: null,
      last_attempt: { outcome: 'admitted', status: 101 },
    });
    expect(closed.body).toMatchObject({
      state: 'closed',
      closed_at: expect.stringMatching(TIME),
      close: { code: 1000, reason: '' },
    });
  });

  test('answers a foreign, an unknown and a malformed id with the same bytes', async () => {
    // What is left of a rate would differ.
    const service = await runTicketService({ MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '0' });
    const foreign = await storeTicket(service.store, { subject: 'bob' });
    const ids = [foreign.id, 'A'.repeat(22), 'short', `${foreign.id}x`, '%00', 'a'.repeat(3_000), foreign.value];
    const answers = await Promise.all(
      ids.flatMap((id) => [ask(service, `/tickets/${id}`), ask(service, `/tickets/${id}`, { method: 'DELETE' })]),
    );
    const renewals = await Promise.all(ids.map((id) => ask(service, `/tickets/${id}/renew`, { method: 'POST' })));
    const seen = [...answers, ...renewals].map(({ status, text, headers }) => {
      const kept = [...headers].filter(([name]) => name !== 'date');
      return JSON.stringify({ status, text, kept });
    });

    expect(new Set(seen).size).toBe(1);
    expect(answers[0]?.status).toBe(404);
    expect(await service.store.read(foreign.id)).toMatchObject({ state: 'issued' });
  });

  test('answers HEAD like GET, without a body', async () => {
    const service = await runTicketService();
    const { id } = await storeTicket(service.store);
    const { status, text } = await ask(service, `/tickets/${id}`, { method: 'HEAD' });

    expect([status, text]).toEqual([200, '']);
  });
});

describe('GET /tickets', () => {
  test("lists the caller's unspent and open tickets, newest first", async () => {
    const service = await runTicketService();
    const pause = async (after: number): Promise<void> => {
      while (Date.now() <= after) await new Promise(setImmediate);
    };
    const ids: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      ids.unshift((await storeTicket(service.store)).id);
      await pause(Date.now());
    }
    const open = await storeTicket(service.store);
    await consume(service, open);
    const refused = await storeTicket(service.store, { origin: 'https://other.example' });
    await consume(service, refused);
    await storeTicket(service.store, { subject: 'bob' });
    const { status, body } = await ask(service, '/tickets');

    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['tickets']);
    expect(body.tickets).toMatchObject([open.id, ...ids].map((id) => ({ id, subject: 'ada' })));
    expect((await ask(service, '/tickets', { credentials: await bearer('nobody') })).body).toEqual({ tickets: [] });
  });
});

describe('DELETE /tickets/<id>', () => {
  test('revokes an unspent ticket, and again with the same answer', async () => {
    const service = await runTicketService();
    const ticket = await storeTicket(service.store);

    for (const _ of [1, 2]) {
      const { status, text } = await ask(service, `/tickets/${ticket.id}`, { method: 'DELETE' });
      expect([status, text]).toEqual([204, '']);
    }
    expect(await service.store.read(ticket.id)).toMatchObject({ state: 'revoked' });
    expect(service.log.filter(({ event }) => event === 'revoke')).toHaveLength(1);
  });

  test('does not change a ticket that has ended', async () => {
    const service = await runTicketService();
    const ticket = await storeTicket(service.store);
    const attemptId = await consume(service, ticket);
    await service.store.close({ id: ticket.id, attemptId, closeCode: 1000, closeReason: 'done' });

    expect((await ask(service, `/tickets/${ticket.id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await service.store.read(ticket.id)).toMatchObject({
      state: 'closed',
      closeCode: 1000,
      closeReason: 'done',
    });
  });

  test('tells the gateway that holds the connection', async () => {
    const service = await runTicketService();
    const ticket = await storeTicket(service.store);
    await consume(service, ticket);
    const told: unknown[] = [];
    service.store.listen('gateway-1', (command) => told.push(command));
    service.store.listen('gateway-2', (command) => told.push(command));
    await ask(service, `/tickets/${ticket.id}`, { method: 'DELETE' });

    expect(told).toEqual([{ command: 'close', ticket_id: ticket.id, reason: 'revoked' }]);
    expect(await service.store.read(ticket.id)).toMatchObject({
      state: 'revoked',
      closeCode: 3003,
      closeReason: 'revoked',
    });
  });
});

describe('POST /tickets/<id>/renew', () => {
  test('moves the end of the session to that of the fresh credentials', async () => {
    const service = await runTicketService();
    const ticket = await storeTicket(service.store, { maxSessionMs: 10_000 });
    await consume(service, ticket);
    const told: unknown[] = [];
    service.store.listen('gateway-1', (command) => told.push(command));
    const credentials = await bearer('ada', '100s');
    const exp = Math.floor(Date.now() / 1000) * 1000 + 100_000;
    const { status, body } = await ask(service, `/tickets/${ticket.id}/renew`, { method: 'POST', credentials });

    expect(status).toBe(200);
    expect(body).toEqual({ id: ticket.id, session_expires_at: expect.stringMatching(TIME) });
    const moved = Date.parse(String(body.session_expires_at));
    expect(Math.abs(moved - exp)).toBeLessThanOrEqual(1_000);
    expect(told).toEqual([{ command: 'renew', ticket_id: ticket.id, session_expires_at: moved }]);
    expect((await ask(service, `/tickets/${ticket.id}`)).body.session_expires_at).toBe(body.session_expires_at);
    expect(service.log).toContainEqual(
      expect.objectContaining({ event: 'renew', ticket_id: ticket.id, subject: 'ada' }),
    );
  });

  test('goes no further than MAX_SESSION_SECONDS', async () => {
    const service = await runTicketService({ MAX_SESSION_SECONDS: '60' });
    const ticket = await storeTicket(service.store);
    await consume(service, ticket);
    const { body } = await ask(service, `/tickets/${ticket.id}/renew`, { method: 'POST' });

    expect(Date.parse(String(body.session_expires_at))).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  test('answers 404 if no connection is open', async () => {
    const service = await runTicketService();
    const ticket = await storeTicket(service.store);

    expect((await ask(service, `/tickets/${ticket.id}/renew`, { method: 'POST' })).status).toBe(404);
  });
});
