import { describe, expect, test } from 'vitest';
import type { ConsumeRequest, IssueRequest, TicketStore } from '../../../../shared/store/store.ts';
import { closeOf, consumeOf, issued, type Minted, mint, noteOf, opened, WRONG_SECRET } from '../requests.ts';
import type { Harness } from './harness.ts';

export function consumeContract(harness: () => Harness): void {
  describe('consume', () => {
    test('admits a ticket and returns what was stored with it', async () => {
      const store = await harness().createStore();
      const claims = '{"a":[],"b":{},"n":12345678901234567890}';
      const clientClaims = '{"b":[]}';
      const ticket = await issued(store, { audience: 'chat', claims, clientClaims, maxSessionMs: 5_000_000 });
      const before = await harness().now();
      const outcome = await store.consume(consumeOf(ticket, { audience: 'chat' }));
      const after = await harness().now();

      expect(outcome).toStrictEqual({
        code: 'admitted',
        subject: 'ada',
        audience: 'chat',
        claims,
        clientClaims,
        openedAt: expect.any(Number),
        sessionExpiresAt: ((await store.read(ticket.id))?.issuedAt ?? 0) + 5_000_000,
        replaced: [],
      });
      if (outcome.code !== 'admitted') return;
      expect(outcome.openedAt).toBeGreaterThanOrEqual(before);
      expect(outcome.openedAt).toBeLessThanOrEqual(after);
    });

    test('leaves out of the answer what was not stored', async () => {
      const store = await harness().createStore();
      const outcome = await store.consume(consumeOf(await issued(store)));

      expect(Object.keys(outcome).sort()).toStrictEqual(
        ['code', 'subject', 'openedAt', 'sessionExpiresAt', 'replaced'].sort(),
      );
    });

    test('records the admission', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const presented = { gatewayId: 'gateway-7', origin: 'https://app.example', address: '192.0.2.1' };
      const outcome = await store.consume(consumeOf(ticket, presented));
      if (outcome.code !== 'admitted') throw new Error(outcome.code);

      expect(await store.read(ticket.id)).toMatchObject({
        state: 'open',
        gatewayId: 'gateway-7',
        openedAt: outcome.openedAt,
        attempts: 1,
        lastAttempt: { at: outcome.openedAt, outcome: 'admitted', status: 101, ...presented },
      });
    });

    test('records no origin and no address if the request had none', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      await store.consume(consumeOf(ticket, { origin: 'https://app.example', address: '192.0.2.1' }));
      await store.consume(consumeOf(ticket, { gatewayId: 'gateway-2' }));
      const withNone = await store.read(ticket.id);
      await store.consume(consumeOf(ticket, { origin: '', address: '' }));

      expect(Object.keys(withNone?.lastAttempt ?? {}).sort()).toStrictEqual(['at', 'gatewayId', 'outcome', 'status']);
      expect(Object.keys((await store.read(ticket.id))?.lastAttempt ?? {}).sort()).toStrictEqual([
        'at',
        'gatewayId',
        'outcome',
        'status',
      ]);
    });

    test('does not know a ticket that was never issued', async () => {
      const store = await harness().createStore();
      const ticket = mint();

      expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_unknown' });
      expect(await store.read(ticket.id)).toBeNull();
    });

    test('refuses an expired ticket, and records the refusal', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { ttlMs: 20 });
      await harness().advance(21);

      expect((await store.read(ticket.id))?.state).toBe('expired');
      expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_expired', subject: 'ada' });
      expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_expired', subject: 'ada' });
      expect(await store.read(ticket.id)).toMatchObject({
        state: 'expired',
        attempts: 2,
        lastAttempt: { outcome: 'ticket_expired', status: 401 },
      });
    });

    test('admits exactly one of 200 requests with the same ticket at once', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, index) => store.consume(consumeOf(ticket, { gatewayId: `gateway-${index}` }))),
      );

      const codes = outcomes.map(({ code }) => code).sort();
      expect(codes).toStrictEqual(['admitted', ...Array<string>(199).fill('ticket_consumed')]);
      expect(await store.read(ticket.id)).toMatchObject({ state: 'open', attempts: 200 });
    });
  });

  describe('a wrong secret', () => {
    /** Every state of a ticket, and how it gets there. */
    const states: Record<string, (store: TicketStore) => Promise<Minted>> = {
      issued: (store) => issued(store),
      expired: async (store) => {
        const ticket = await issued(store, { ttlMs: 1 });
        await harness().advance(2);
        return ticket;
      },
      open: (store) => opened(store),
      closed: async (store) => {
        const connection = await opened(store);
        await store.close(closeOf(connection));
        return connection;
      },
      refused: async (store) => {
        const ticket = await issued(store, { path: '/a' });
        await store.consume(consumeOf(ticket, { path: '/b' }));
        return ticket;
      },
      revoked: async (store) => {
        const ticket = await issued(store);
        await store.revoke({ id: ticket.id });
        return ticket;
      },
    };

    for (const [state, reach] of Object.entries(states)) {
      test(`looks like an unknown ticket and writes nothing on a record that is ${state}`, async () => {
        const store = await harness().createStore();
        const ticket = await reach(store);
        const before = await harness().snapshot(store, ticket.id);
        const presented = { secretSha256: WRONG_SECRET, origin: 'https://evil.example', address: '203.0.113.9' };

        expect(await store.consume(consumeOf(ticket, presented))).toStrictEqual({ code: 'ticket_unknown' });
        expect(await store.note(noteOf(ticket, presented))).toStrictEqual({ code: 'ticket_unknown' });
        expect(await harness().snapshot(store, ticket.id)).toStrictEqual(before);
        expect((await store.read(ticket.id))?.state).toBe(state);
      });
    }

    test('is not told the answer of an attempt whose id was guessed', async () => {
      const store = await harness().createStore();
      const { id, attemptId } = await opened(store);
      const guess = consumeOf({ id, secretSha256: WRONG_SECRET, subject: 'ada' }, { attemptId });

      expect(await store.consume(guess)).toStrictEqual({ code: 'ticket_unknown' });
    });

    test('is not accepted if its hash is a prefix of the right one, or empty', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);

      for (const secretSha256 of ['', ticket.secretSha256.slice(0, 63), `${ticket.secretSha256}0`]) {
        expect(await store.consume(consumeOf(ticket, { secretSha256 }))).toStrictEqual({ code: 'ticket_unknown' });
      }
      expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'admitted' });
    });
  });

  describe('an attempt', () => {
    /** Every answer that spends a ticket, and a request that gets it. */
    const spending: Record<string, { issue?: Partial<IssueRequest>; consume?: Partial<ConsumeRequest> }> = {
      admitted: { issue: { claims: '{"a":1}', audience: 'chat' } },
      ticket_expired: { issue: { ttlMs: 1 } },
      audience_refused: { consume: { audience: 'other' } },
      path_refused: { issue: { path: '/a' }, consume: { path: '/b' } },
      origin_refused: { issue: { origin: 'https://a.example' }, consume: { origin: 'https://b.example' } },
      address_refused: { issue: { address: '192.0.2.1' }, consume: { address: '192.0.2.2', bindAddress: true } },
      connection_limit: { consume: { maxConnections: 1 } },
    };

    for (const [code, { issue = {}, consume = {} }] of Object.entries(spending)) {
      test(`that got ${code} gets it again, and nothing is written`, async () => {
        const store = await harness().createStore();
        if (code === 'connection_limit') await opened(store);
        const ticket = await issued(store, issue);
        if (code === 'ticket_expired') await harness().advance(2);
        const request = consumeOf(ticket, consume);
        const first = await store.consume(request);
        expect(first.code).toBe(code);
        const before = await harness().snapshot(store, ticket.id);

        expect(await store.consume(request)).toStrictEqual(first);
        expect(await harness().snapshot(store, ticket.id)).toStrictEqual(before);
      });

      test(`that got ${code} gets it again after a replay by another attempt`, async () => {
        const store = await harness().createStore();
        if (code === 'connection_limit') await opened(store);
        const ticket = await issued(store, issue);
        if (code === 'ticket_expired') await harness().advance(2);
        const request = consumeOf(ticket, consume);
        const first = await store.consume(request);

        expect(await store.consume(consumeOf(ticket, consume))).toStrictEqual({
          code: code === 'ticket_expired' ? 'ticket_expired' : 'ticket_consumed',
          subject: 'ada',
        });
        const before = await harness().snapshot(store, ticket.id);
        expect(await store.consume(request)).toStrictEqual(first);
        expect(await harness().snapshot(store, ticket.id)).toStrictEqual(before);
      });
    }

    test('gets its admission again after the connection was closed', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const request = consumeOf(ticket);
      const first = await store.consume(request);
      await store.close({ id: ticket.id, attemptId: request.attemptId, closeCode: 1000, closeReason: '' });

      expect(await store.consume(request)).toStrictEqual(first);
      expect((await store.read(ticket.id))?.state).toBe('closed');
    });

    test('counts for one ticket only', async () => {
      const store = await harness().createStore();
      const [one, other] = [await issued(store), await issued(store)];
      const attemptId = 'the-same';

      expect(await store.consume(consumeOf(one, { attemptId }))).toMatchObject({ code: 'admitted' });
      expect(await store.consume(consumeOf(other, { attemptId }))).toMatchObject({ code: 'admitted' });
    });
  });

  describe('a replay', () => {
    test('changes only the number of attempts and the last attempt', async () => {
      const store = await harness().createStore();
      const connection = await opened(store, { gatewayId: 'gateway-1', origin: 'https://app.example' });
      const { attempts, lastAttempt, ...first } = (await store.read(connection.id)) ?? {};
      await harness().advance(2);
      const presented = { gatewayId: 'gateway-2', origin: 'https://evil.example', address: '203.0.113.9' };

      expect(await store.consume(consumeOf(connection, { ...presented, path: '/other' }))).toStrictEqual({
        code: 'ticket_consumed',
        subject: 'ada',
      });
      const { attempts: raised, lastAttempt: last, ...after } = (await store.read(connection.id)) ?? {};
      expect(after).toStrictEqual(first);
      expect([attempts, raised]).toStrictEqual([1, 2]);
      expect(last).toStrictEqual({ at: expect.any(Number), outcome: 'ticket_consumed', status: 401, ...presented });
      expect(last?.at).toBeGreaterThan(lastAttempt?.at ?? 0);
    });

    test('of a refused ticket leaves it refused, even if it would be admitted now', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { path: '/a' });
      await store.consume(consumeOf(ticket, { path: '/b' }));

      expect(await store.consume(consumeOf(ticket, { path: '/a' }))).toMatchObject({ code: 'ticket_consumed' });
      expect(await store.read(ticket.id)).toMatchObject({
        state: 'refused',
        attempts: 2,
        lastAttempt: { outcome: 'ticket_consumed' },
      });
    });

    test('does not keep the record for longer', async () => {
      const store = await harness().createStore({ retentionMs: 300 });
      const ticket = await issued(store, { ttlMs: 300, path: '/a' });
      await store.consume(consumeOf(ticket, { path: '/b' }));
      await harness().advance(250);
      await store.consume(consumeOf(ticket));
      await store.note(noteOf(ticket));
      await harness().advance(352);

      expect(await store.read(ticket.id)).toBeNull();
    });
  });

  describe('note', () => {
    test('records the attempt and leaves the ticket unspent', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const presented = { gatewayId: 'gateway-3', origin: 'https://app.example', address: '192.0.2.1' };

      expect(await store.note(noteOf(ticket, { ...presented, outcome: 'draining' }))).toStrictEqual({
        code: 'noted',
        subject: 'ada',
      });
      expect(await store.read(ticket.id)).toMatchObject({
        state: 'issued',
        attempts: 1,
        lastAttempt: { outcome: 'draining', status: 503, ...presented },
      });
      expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'admitted' });
      expect(await store.read(ticket.id)).toMatchObject({ state: 'open', attempts: 2 });
    });

    test('records no origin and no address if the request had none', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      await store.note(noteOf(ticket, { origin: 'https://app.example', address: '192.0.2.1' }));
      await store.note(noteOf(ticket));

      expect(Object.keys((await store.read(ticket.id))?.lastAttempt ?? {}).sort()).toStrictEqual([
        'at',
        'gatewayId',
        'outcome',
        'status',
      ]);
    });

    test('does not renew an expired ticket', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { ttlMs: 1 });
      await harness().advance(2);

      expect(await store.note(noteOf(ticket))).toMatchObject({ code: 'noted' });
      expect(await store.read(ticket.id)).toMatchObject({ state: 'expired', attempts: 1 });
      expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'ticket_expired' });
    });

    test('does not know a ticket that was never issued', async () => {
      const store = await harness().createStore();

      expect(await store.note(noteOf(mint()))).toStrictEqual({ code: 'ticket_unknown' });
    });
  });
}
