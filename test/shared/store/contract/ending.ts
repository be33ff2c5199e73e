import { describe, expect, test } from 'vitest';
import { closeOf, consumeOf, issued, issueOf, mint, noteOf, type Opened, opened } from '../requests.ts';
import { type Harness, inTime } from './harness.ts';

/** How tickets and connections end, and how long their records are kept after that. */
export function endingContract(harness: () => Harness): void {
  describe('close', () => {
    test('records the end of the connection', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      const before = await harness().now();
      const request = { ...closeOf(connection), closeCode: 1012, closeReason: 'draining;spread_seconds=30' };

      expect(await store.close(request)).toStrictEqual({ code: 'closed' });
      const record = await store.read(connection.id);
      expect(record).toMatchObject({
        state: 'closed',
        closeCode: 1012,
        closeReason: 'draining;spread_seconds=30',
        openedAt: connection.openedAt,
        gatewayId: connection.gatewayId,
        attempts: 1,
      });
      expect(record?.closedAt).toBeGreaterThanOrEqual(before);
      expect(record?.closedAt).toBeLessThanOrEqual(await harness().now());
    });

    test('records no empty reason', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.close({ ...closeOf(connection), closeReason: '' });

      expect(await store.read(connection.id)).not.toHaveProperty('closeReason');
    });

    test('happens once: the first close stands', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.close(closeOf(connection));
      const before = await harness().snapshot(store, connection.id);
      await harness().advance(2);

      expect(await store.close({ ...closeOf(connection), closeCode: 1006 })).toStrictEqual({ code: 'already_closed' });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });

    test('does nothing for an attempt that did not open the connection', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      const before = await harness().snapshot(store, connection.id);

      expect(await store.close({ ...closeOf(connection), attemptId: 'another' })).toStrictEqual({ code: 'not_held' });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });

    test('does nothing for an attempt that was refused', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { path: '/a' });
      const request = consumeOf(ticket, { path: '/b' });
      await store.consume(request);
      const before = await harness().snapshot(store, ticket.id);

      expect(
        await store.close({ id: ticket.id, attemptId: request.attemptId, closeCode: 1000, closeReason: '' }),
      ).toStrictEqual({ code: 'not_held' });
      expect(await harness().snapshot(store, ticket.id)).toStrictEqual(before);
    });

    test('does nothing for an unspent or unknown ticket', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const request = { attemptId: 'a', closeCode: 1000, closeReason: '' };

      expect(await store.close({ id: ticket.id, ...request })).toStrictEqual({ code: 'not_held' });
      expect(await store.close({ id: mint().id, ...request })).toStrictEqual({ code: 'not_held' });
      expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'admitted' });
    });

    test('leaves a revoked connection revoked, with its reason', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.revoke({ id: connection.id });
      expect(await store.read(connection.id)).not.toHaveProperty('closedAt');

      expect(await store.close({ ...closeOf(connection), closeCode: 1006, closeReason: 'other' })).toStrictEqual({
        code: 'closed',
      });
      expect(await store.read(connection.id)).toMatchObject({
        state: 'revoked',
        closeCode: 3003,
        closeReason: 'revoked',
        closedAt: expect.any(Number),
      });
      expect(await store.close(closeOf(connection))).toStrictEqual({ code: 'already_closed' });
    });
  });

  describe('revoke', () => {
    test('revokes an unspent ticket', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);

      expect(await store.revoke({ id: ticket.id })).toStrictEqual({ code: 'revoked' });
      expect(await store.read(ticket.id)).toMatchObject({ state: 'revoked', attempts: 0 });
      expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_revoked', subject: 'ada' });
      expect(await store.read(ticket.id)).toMatchObject({
        state: 'revoked',
        attempts: 1,
        lastAttempt: { outcome: 'ticket_revoked', status: 401 },
      });
    });

    test('marks an open connection and names the gateway that has to close it', async () => {
      const store = await harness().createStore();
      const connection = await opened(store, { gatewayId: 'gateway-9' });

      expect(await store.revoke({ id: connection.id })).toStrictEqual({ code: 'closing', gatewayId: 'gateway-9' });
      expect(await store.read(connection.id)).toMatchObject({
        state: 'revoked',
        closeCode: 3003,
        closeReason: 'revoked',
      });
      expect(await store.lease(connection)).toStrictEqual({ code: 'ended', reason: 'revoked' });
    });

    test('names the gateway each time until the connection is closed', async () => {
      const store = await harness().createStore();
      const connection = await opened(store, { gatewayId: 'gateway-9' });
      await store.revoke({ id: connection.id });
      const before = await harness().snapshot(store, connection.id);

      expect(await store.revoke({ id: connection.id })).toStrictEqual({ code: 'closing', gatewayId: 'gateway-9' });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });

    test('changes nothing that has ended', async () => {
      const store = await harness().createStore();
      const closed = await opened(store);
      await store.close(closeOf(closed));
      const refused = await issued(store, { path: '/a' });
      await store.consume(consumeOf(refused, { path: '/b' }));
      const revoked = await issued(store);
      await store.revoke({ id: revoked.id });
      const kicked = await opened(store);
      await store.revoke({ id: kicked.id });
      await store.close(closeOf(kicked));
      const expired = await issued(store, { ttlMs: 1 });
      await harness().advance(2);

      for (const { id } of [closed, refused, revoked, kicked, expired]) {
        const before = await harness().snapshot(store, id);
        expect(await store.revoke({ id })).toStrictEqual({ code: 'ended' });
        expect(await harness().snapshot(store, id)).toStrictEqual(before);
      }
    });

    test('does not know a ticket that was never issued', async () => {
      const store = await harness().createStore();

      expect(await store.revoke({ id: mint().id })).toStrictEqual({ code: 'unknown' });
    });

    test("does not know another subject's ticket, unspent or open", async () => {
      const store = await harness().createStore();
      for (const { id } of [await issued(store), await opened(store)]) {
        const before = await harness().snapshot(store, id);
        expect(await store.revoke({ id, subject: 'eve' })).toStrictEqual({ code: 'unknown' });
        expect(await harness().snapshot(store, id)).toStrictEqual(before);
      }
    });

    test('accepts the subject of the ticket, or none (an operator)', async () => {
      const store = await harness().createStore();

      expect(await store.revoke({ id: (await issued(store)).id, subject: 'ada' })).toStrictEqual({ code: 'revoked' });
      expect(await store.revoke({ id: (await opened(store)).id, subject: 'ada' })).toMatchObject({ code: 'closing' });
    });

    test('and consume at once: one of the two comes first', async () => {
      const store = await harness().createStore();
      for (let round = 0; round < 20; round += 1) {
        const ticket = await issued(store);
        const [consumed, revoked] = await Promise.all([
          store.consume(consumeOf(ticket)),
          store.revoke({ id: ticket.id }),
        ]);
        expect([
          ['admitted', 'closing'],
          ['ticket_revoked', 'revoked'],
        ]).toContainEqual([consumed.code, revoked.code]);
      }
    });
  });

  describe('renew', () => {
    const renewOf = (id: string, fields = {}) => ({ id, subject: 'ada', maxSessionMs: 7_200_000, ...fields });

    test('counts what is left of credentials by the clock that checked them, if it differs by more than a second', async () => {
      const store = await harness().createStore();
      const { id } = await opened(store);
      const now = await harness().now();
      const endFor = async (skewMs: number) => {
        const asOf = now + skewMs;
        const outcome = await store.renew(renewOf(id, { credentialsExpireAt: asOf + 60_000, asOf }));
        return outcome.code === 'renewed' ? outcome.sessionExpiresAt : 0;
      };

      for (const skewMs of [3_600_000, -3_600_000, 2_000]) {
        const end = await endFor(skewMs);
        expect(end).toBeGreaterThanOrEqual(now + 60_000);
        expect(end).toBeLessThanOrEqual((await harness().now()) + 60_000);
      }
      expect(await endFor(0)).toBe(now + 60_000);
    });

    test('by a key is bound by the credentials of the subject, and by the total', async () => {
      const store = await harness().createStore();
      const now = await harness().now();
      const bound = await opened(store, {}, 'ada', { credentialsExpireAt: now + 60_000 });
      const free = await opened(store);
      const total = free.openedAt + 5_000;

      for (const [id, fields, end] of [
        [bound.id, { byKey: true }, now + 60_000],
        [bound.id, { credentialsExpireAt: now + 90_000 }, now + 90_000],
        [bound.id, { byKey: true }, now + 90_000],
        [free.id, { byKey: true, maxTotalMs: 5_000 }, total],
        [free.id, { credentialsExpireAt: now + 1_000, maxTotalMs: 5_000 }, now + 1_000],
      ] as const) {
        expect(await store.renew(renewOf(id, fields))).toMatchObject({ code: 'renewed', sessionExpiresAt: end });
      }
      // Credentials without an end take the bound away.
      await store.renew(renewOf(bound.id));
      const outcome = await store.renew(renewOf(bound.id, { byKey: true }));
      expect(outcome.code === 'renewed' && outcome.sessionExpiresAt).toBeGreaterThan(now + 90_000);
    });

    test('sets a new end of the session', async () => {
      const store = await harness().createStore();
      const connection = await opened(store, { gatewayId: 'gateway-4' });
      const before = await harness().now();
      const outcome = await store.renew(renewOf(connection.id));
      const after = await harness().now();

      expect(outcome).toStrictEqual({ code: 'renewed', sessionExpiresAt: expect.any(Number), gatewayId: 'gateway-4' });
      if (outcome.code !== 'renewed') return;
      expect(outcome.sessionExpiresAt).toBeGreaterThanOrEqual(before + 7_200_000);
      expect(outcome.sessionExpiresAt).toBeLessThanOrEqual(after + 7_200_000);
      expect((await store.read(connection.id))?.sessionExpiresAt).toBe(outcome.sessionExpiresAt);
      expect(await store.lease(connection)).toStrictEqual({
        code: 'held',
        sessionExpiresAt: outcome.sessionExpiresAt,
      });
    });

    test('ends the session with the fresh credentials, even if that is sooner', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      const credentialsExpireAt = (await harness().now()) + 1_000;

      expect(await store.renew(renewOf(connection.id, { credentialsExpireAt }))).toMatchObject({
        code: 'renewed',
        sessionExpiresAt: credentialsExpireAt,
      });
    });

    test('does nothing before the connection is open, and after its end', async () => {
      const store = await harness().createStore();
      const unspent = await issued(store);
      const closed = await opened(store);
      await store.close(closeOf(closed));
      const revoked = await opened(store);
      await store.revoke({ id: revoked.id });

      for (const { id } of [unspent, closed, revoked]) {
        const before = await harness().snapshot(store, id);
        expect(await store.renew(renewOf(id))).toStrictEqual({ code: 'not_open' });
        expect(await harness().snapshot(store, id)).toStrictEqual(before);
      }
    });

    test("does not know a ticket that was never issued, nor another subject's", async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      const before = await harness().snapshot(store, connection.id);

      expect(await store.renew(renewOf(mint().id))).toStrictEqual({ code: 'unknown' });
      expect(await store.renew(renewOf(connection.id, { subject: 'eve' }))).toStrictEqual({ code: 'unknown' });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });
  });

  describe('a connection that is handed over to a proxy', () => {
    const handOver = ({ id, attemptId }: Opened) => ({ id, attemptId, closeCode: 1005, closeReason: 'handed_over' });

    test('is neither open nor closed, and takes no slot', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      expect(await store.close(handOver(connection))).toStrictEqual({ code: 'closed' });

      const record = await store.read(connection.id);
      expect(record).toMatchObject({ state: 'handed_over', openedAt: connection.openedAt });
      for (const field of ['closedAt', 'closeCode', 'closeReason']) expect(record).not.toHaveProperty(field);
      expect((await store.list('ada')).records).toStrictEqual([]);
      expect(await store.consume(consumeOf(await issued(store), { maxConnections: 1 }))).toMatchObject({
        code: 'admitted',
      });
    });

    test('stays so, whatever comes after it', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.close(handOver(connection));
      expect(await store.consume(consumeOf(connection))).toMatchObject({ code: 'ticket_consumed' });
      const before = await harness().snapshot(store, connection.id);

      expect(await store.close(handOver(connection))).toStrictEqual({ code: 'already_closed' });
      expect(await store.close(closeOf(connection))).toStrictEqual({ code: 'already_closed' });
      const refusal = { ...connection, outcome: 'upstream_refused', status: 409 } as const;
      expect(await store.refuse(refusal)).toStrictEqual({ code: 'not_held' });
      expect(await store.revoke({ id: connection.id })).toStrictEqual({ code: 'ended' });
      expect(await store.renew({ ...connection, maxSessionMs: 1 })).toStrictEqual({ code: 'not_open' });
      expect(await store.lease(connection)).toMatchObject({ code: 'ended' });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });

    test('is told from one whose client closed with that reason', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.close({ ...handOver(connection), closeCode: 1000 });

      expect(await store.read(connection.id)).toMatchObject({ state: 'closed', closeReason: 'handed_over' });
    });

    test('ends with the retention', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ retentionMs: 500 });
        const connection = await opened(store, {}, 'ada', { ttlMs: 20 });
        await store.close(handOver(connection));
        await harness().advance(521);

        expect(await store.read(connection.id)).toBeNull();
      }));
  });

  describe('retention', () => {
    test('keeps an expired record for its time and no longer', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ retentionMs: 500 });
        const ticket = await issued(store, { ttlMs: 20 });
        await harness().advance(21);
        expect((await store.read(ticket.id))?.state).toBe('expired');
        await harness().advance(501);

        expect(await store.read(ticket.id)).toBeNull();
        expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_unknown' });
        expect(await store.note(noteOf(ticket))).toStrictEqual({ code: 'ticket_unknown' });
        expect(await store.revoke({ id: ticket.id })).toStrictEqual({ code: 'unknown' });
        expect((await store.list('ada')).records).toStrictEqual([]);
        expect(await store.issue(issueOf(ticket))).toMatchObject({ code: 'issued' });
      }));

    test('of a closed connection starts when the ticket would have expired', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ retentionMs: 500, leaseMs: 60_000 });
        const connection = await opened(store, {}, 'ada', { ttlMs: 500 });
        await store.close(closeOf(connection));
        await harness().advance(510);
        expect((await store.read(connection.id))?.state).toBe('closed');
        await harness().advance(500);

        expect(await store.read(connection.id)).toBeNull();
      }));

    test('of a connection that was open longer than its ticket was valid starts with its close', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ retentionMs: 500, leaseMs: 60_000 });
        const connection = await opened(store, {}, 'ada', { ttlMs: 100 });
        await harness().advance(601);
        expect((await store.read(connection.id))?.state).toBe('open');
        await store.close(closeOf(connection));
        expect((await store.read(connection.id))?.state).toBe('closed');
        await harness().advance(502);

        expect(await store.read(connection.id)).toBeNull();
      }));

    test('of 0 deletes a ticket when it expires', async () => {
      const store = await harness().createStore({ retentionMs: 0 });
      const ticket = await issued(store, { ttlMs: 20 });
      await harness().advance(22);

      expect(await store.read(ticket.id)).toBeNull();
      expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_unknown' });
      expect((await store.list('ada')).records).toStrictEqual([]);
    });

    test('of 0 still tells a replay from an unknown ticket until the ticket would have expired', async () => {
      const store = await harness().createStore({ retentionMs: 0 });
      const connection = await opened(store);
      await store.close(closeOf(connection));
      expect(await store.consume(consumeOf(connection))).toMatchObject({ code: 'ticket_consumed' });
      const revoked = await issued(store);
      await store.revoke({ id: revoked.id });

      expect(await store.consume(consumeOf(revoked))).toMatchObject({ code: 'ticket_revoked' });
    });

    test('of 0 deletes a connection when it closes, if its ticket would have expired', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ retentionMs: 0 });
        const connection = await opened(store, {}, 'ada', { ttlMs: 500 });
        await harness().advance(501);
        expect((await store.read(connection.id))?.state).toBe('open');
        await store.close(closeOf(connection));
        await harness().advance(1);

        expect(await store.read(connection.id)).toBeNull();
        expect((await store.list('ada')).records).toStrictEqual([]);
      }));

    test('of 0 keeps an open connection until its lease lapses', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ retentionMs: 0, leaseMs: 300 });
        const connection = await opened(store, {}, 'ada', { ttlMs: 20 * 60_000 });
        expect((await store.read(connection.id))?.state).toBe('open');
        expect(await store.lease(connection)).toMatchObject({ code: 'held' });
      }));
  });
}
