import { describe, expect, test } from 'vitest';
import { closeOf, consumeOf, issued, mint, opened } from '../requests.ts';
import { type Harness, inTime } from './harness.ts';

export function leaseContract(harness: () => Harness): void {
  const refuseAtOne = { maxConnections: 1, limitPolicy: 'refuse' } as const;

  describe('a lease', () => {
    test('is held by a gateway that renews it in time', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ leaseMs: 1_000 });
        const connection = await opened(store);
        await harness().advance(700);
        expect(await store.lease(connection)).toStrictEqual({
          code: 'held',
          sessionExpiresAt: connection.sessionExpiresAt,
        });
        await harness().advance(700);

        expect((await store.read(connection.id))?.state).toBe('open');
        expect(await store.consume(consumeOf(await issued(store), refuseAtOne))).toMatchObject({
          code: 'connection_limit',
        });
      }));

    test('counts no attempt and does not change the record', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      const before = await store.read(connection.id);
      await store.lease(connection);

      expect(await store.read(connection.id)).toStrictEqual(before);
    });

    test('keeps the record of a long connection, even without retention', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ leaseMs: 500, retentionMs: 0 });
        const connection = await opened(store, {}, 'ada', { ttlMs: 300 });
        for (let round = 0; round < 4; round += 1) {
          await harness().advance(200);
          expect(await store.lease(connection)).toMatchObject({ code: 'held' });
        }
        expect((await store.read(connection.id))?.state).toBe('open');
      }));

    test('that lapses closes the record with 1006 and without a reason', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      const connection = await opened(store);
      await harness().advance(51);
      const record = await store.read(connection.id);

      expect(record).toMatchObject({ state: 'closed', closeCode: 1006, gatewayId: connection.gatewayId, attempts: 1 });
      expect(record).not.toHaveProperty('closeReason');
      // Nobody saw when it ended.
      expect(record).not.toHaveProperty('closedAt');
    });

    test('that lapses frees the slot', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      await opened(store, refuseAtOne);
      await harness().advance(51);

      expect(await store.consume(consumeOf(await issued(store), refuseAtOne))).toMatchObject({ code: 'admitted' });
    });

    test('that lapses frees its own slot and no other', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ leaseMs: 500 });
        const dead = await opened(store);
        const alive = await opened(store);
        await harness().advance(300);
        expect(await store.lease(alive)).toMatchObject({ code: 'held' });
        await harness().advance(250);
        const refuseAtTwo = { maxConnections: 2, limitPolicy: 'refuse' } as const;

        expect((await store.read(dead.id))?.state).toBe('closed');
        expect(await store.consume(consumeOf(await issued(store), refuseAtTwo))).toMatchObject({ code: 'admitted' });
        expect(await store.consume(consumeOf(await issued(store), refuseAtTwo))).toMatchObject({
          code: 'connection_limit',
        });
      }));

    test('that lapses leaves the ticket spent', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      const connection = await opened(store);
      await harness().advance(51);

      expect(await store.consume(consumeOf(connection))).toMatchObject({ code: 'ticket_consumed' });
    });

    test('that lapsed is renewed by the gateway that still holds the connection', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ leaseMs: 500 });
        const connection = await opened(store);
        await harness().advance(501);
        expect((await store.read(connection.id))?.state).toBe('closed');

        expect(await store.lease(connection)).toMatchObject({ code: 'held' });
        expect(await store.read(connection.id)).toMatchObject({ state: 'open' });
        expect(await store.read(connection.id)).not.toHaveProperty('closedAt');
        expect(await store.consume(consumeOf(await issued(store), refuseAtOne))).toMatchObject({
          code: 'connection_limit',
        });
      }));

    test('that lapsed does not keep its gateway from closing', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      const connection = await opened(store);
      await harness().advance(51);

      expect(await store.close(closeOf(connection))).toStrictEqual({ code: 'closed' });
      expect(await store.read(connection.id)).toMatchObject({ state: 'closed', closeCode: 1000, closeReason: 'bye' });
    });

    test('that lapsed still names its gateway to revoke: the connection may be open', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      const connection = await opened(store, { gatewayId: 'gateway-5' });
      await harness().advance(51);

      expect(await store.revoke({ id: connection.id })).toStrictEqual({ code: 'closing', gatewayId: 'gateway-5' });
      expect(await store.lease(connection)).toStrictEqual({ code: 'ended', reason: 'revoked' });
    });

    test('has ended for a connection that was closed', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.close(closeOf(connection));
      const before = await harness().snapshot(store, connection.id);

      expect(await store.lease(connection)).toMatchObject({ code: 'ended' });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });

    test('has ended for an attempt other than the one that opened the connection', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      const before = await harness().snapshot(store, connection.id);

      expect(await store.lease({ ...connection, attemptId: 'another' })).toStrictEqual({
        code: 'ended',
        reason: 'replaced',
      });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });

    test('of a revoked connection writes nothing', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.revoke({ id: connection.id });
      const before = await harness().snapshot(store, connection.id);

      expect(await store.lease(connection)).toStrictEqual({ code: 'ended', reason: 'revoked' });
      expect(await harness().snapshot(store, connection.id)).toStrictEqual(before);
    });
  });

  describe('a lease of a record that the store has lost', () => {
    async function restored(ticket = mint()) {
      const store = await harness().createStore();
      const openedAt = (await harness().now()) - 5_000;
      const connection = {
        ...ticket,
        attemptId: 'attempt-1',
        gatewayId: 'gateway-6',
        openedAt,
        sessionExpiresAt: openedAt + 60_000,
      };
      expect(await store.lease(connection)).toStrictEqual({ code: 'restored' });
      return { store, connection };
    }

    test('writes it again as an open connection', async () => {
      const { store, connection } = await restored();

      expect(await store.read(connection.id)).toMatchObject({
        id: connection.id,
        subject: 'ada',
        state: 'open',
        gatewayId: 'gateway-6',
        openedAt: connection.openedAt,
        sessionExpiresAt: connection.sessionExpiresAt,
      });
      expect(await store.lease(connection)).toStrictEqual({
        code: 'held',
        sessionExpiresAt: connection.sessionExpiresAt,
      });
    });

    test('admits no second connection for the ticket', async () => {
      const { store, connection } = await restored();

      expect(await store.consume(consumeOf(connection))).toStrictEqual({ code: 'ticket_unknown' });
      expect(await store.consume(consumeOf(connection, { secretSha256: '' }))).toStrictEqual({
        code: 'ticket_unknown',
      });
    });

    test('counts the connection again', async () => {
      const { store } = await restored();

      expect(await store.consume(consumeOf(await issued(store), refuseAtOne))).toMatchObject({
        code: 'connection_limit',
      });
    });

    test('can be listed, renewed, revoked and closed like any other', async () => {
      const { store, connection } = await restored();

      expect((await store.list('ada')).records.map(({ id }) => id)).toStrictEqual([connection.id]);
      expect(await store.renew({ id: connection.id, subject: 'ada', maxSessionMs: 1_000 })).toMatchObject({
        code: 'renewed',
        gatewayId: 'gateway-6',
      });
      expect(await store.revoke({ id: connection.id, subject: 'ada' })).toStrictEqual({
        code: 'closing',
        gatewayId: 'gateway-6',
      });
      expect(await store.close(closeOf(connection))).toStrictEqual({ code: 'closed' });
    });
  });

  describe('a lease of a record that is issued again', () => {
    async function fallenBack() {
      const store = await harness().createStore();
      const ticket = await issued(store, { audience: 'chat', claims: '{"a":1}' });
      const openedAt = await harness().now();
      const connection = {
        ...ticket,
        attemptId: 'attempt-1',
        gatewayId: 'gateway-6',
        openedAt,
        sessionExpiresAt: openedAt + 60_000,
      };
      return { store, connection };
    }

    test('spends the ticket again', async () => {
      const { store, connection } = await fallenBack();
      expect(await store.lease(connection)).toStrictEqual({ code: 'restored' });

      expect(await store.read(connection.id)).toMatchObject({
        state: 'open',
        audience: 'chat',
        claims: '{"a":1}',
        gatewayId: 'gateway-6',
        openedAt: connection.openedAt,
        sessionExpiresAt: connection.sessionExpiresAt,
      });
      expect(await store.consume(consumeOf(connection))).toStrictEqual({ code: 'ticket_consumed', subject: 'ada' });
    });

    test('lets the attempt that opened the connection get its admission again', async () => {
      const { store, connection } = await fallenBack();
      await store.lease(connection);

      expect(await store.consume(consumeOf(connection, { attemptId: connection.attemptId }))).toMatchObject({
        code: 'admitted',
        openedAt: connection.openedAt,
        claims: '{"a":1}',
      });
    });

    test('ends if another attempt has consumed the ticket meanwhile', async () => {
      const { store, connection } = await fallenBack();
      await store.consume(consumeOf(connection, { gatewayId: 'gateway-7' }));

      expect(await store.lease(connection)).toStrictEqual({ code: 'ended', reason: 'replaced' });
      expect(await store.read(connection.id)).toMatchObject({ state: 'open', gatewayId: 'gateway-7' });
    });

    test('ends as revoked if the ticket was revoked meanwhile', async () => {
      const { store, connection } = await fallenBack();
      await store.revoke({ id: connection.id });

      expect(await store.lease(connection)).toStrictEqual({ code: 'ended', reason: 'revoked' });
    });

    test('keeps the record at least as long as an unspent ticket would be kept', async () => {
      const store = await harness().createStore({ leaseMs: 20, retentionMs: 0 });
      const ticket = await issued(store, { ttlMs: 30_000 });
      const at = await harness().now();
      await store.lease({ ...ticket, attemptId: 'a', gatewayId: 'g', openedAt: at, sessionExpiresAt: at + 60_000 });
      await harness().advance(50);

      expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_consumed', subject: 'ada' });
    });
  });
}
