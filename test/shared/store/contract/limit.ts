import { describe, expect, test } from 'vitest';
import type { ConsumeRequest, TicketStore } from '../../../../shared/store/store.ts';
import { closeOf, consumeOf, issued, mint, type Opened, opened } from '../requests.ts';
import type { Harness } from './harness.ts';

export function limitContract(harness: () => Harness): void {
  const refuseAt = (maxConnections: number): Partial<ConsumeRequest> => ({ maxConnections, limitPolicy: 'refuse' });
  const replaceAt = (maxConnections: number): Partial<ConsumeRequest> => ({ maxConnections, limitPolicy: 'replace' });

  /** Connections that were opened one after the other, each at a later ms. */
  async function openedInTurn(store: TicketStore, count: number): Promise<Opened[]> {
    const connections: Opened[] = [];
    for (let index = 1; index <= count; index += 1) {
      connections.push(await opened(store, { gatewayId: `gateway-${index}` }));
      await harness().advance(1);
    }
    return connections;
  }

  describe('the limit of open connections', () => {
    test('is off at 0', async () => {
      for (const limitPolicy of ['refuse', 'replace'] as const) {
        const store = await harness().createStore();
        await openedInTurn(store, 5);
        const outcome = await store.consume(consumeOf(await issued(store), { maxConnections: 0, limitPolicy }));

        expect(outcome).toMatchObject({ code: 'admitted', replaced: [] });
      }
    });

    test('admits that many and refuses the next', async () => {
      const store = await harness().createStore();
      await opened(store, refuseAt(2));
      await opened(store, refuseAt(2));

      expect(await store.consume(consumeOf(await issued(store), refuseAt(2)))).toMatchObject({
        code: 'connection_limit',
      });
    });

    test('counts each subject for itself', async () => {
      const store = await harness().createStore();
      await opened(store, {}, 'ada');
      const ticket = await issued(store, {}, 'eve');

      expect(await store.consume(consumeOf(ticket, refuseAt(1)))).toMatchObject({ code: 'admitted' });
    });

    test('has room again when a connection is closed', async () => {
      const store = await harness().createStore();
      await store.close(closeOf(await opened(store, refuseAt(1))));

      expect(await store.consume(consumeOf(await issued(store), refuseAt(1)))).toMatchObject({ code: 'admitted' });
    });

    test('still counts a revoked connection until its gateway has closed it', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.revoke({ id: connection.id });

      expect(await store.consume(consumeOf(await issued(store), refuseAt(1)))).toMatchObject({
        code: 'connection_limit',
      });
      await store.close(closeOf(connection));
      expect(await store.consume(consumeOf(await issued(store), refuseAt(1)))).toMatchObject({ code: 'admitted' });
    });

    test('holds for many simultaneous requests', async () => {
      const store = await harness().createStore();
      const tickets = await Promise.all(Array.from({ length: 20 }, () => issued(store)));
      const outcomes = await Promise.all(tickets.map((ticket) => store.consume(consumeOf(ticket, refuseAt(3)))));

      expect(outcomes.filter(({ code }) => code === 'admitted')).toHaveLength(3);
      expect(outcomes.filter(({ code }) => code === 'connection_limit')).toHaveLength(17);
    });

    test('does not refuse an attempt that was admitted before', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const request = consumeOf(ticket, refuseAt(1));
      const first = await store.consume(request);

      expect(first).toMatchObject({ code: 'admitted' });
      expect(await store.consume(request)).toStrictEqual(first);
    });
  });

  describe('the policy replace', () => {
    test('replaces nobody below the limit', async () => {
      const store = await harness().createStore();
      await opened(store);

      expect(await store.consume(consumeOf(await issued(store), replaceAt(2)))).toMatchObject({
        code: 'admitted',
        replaced: [],
      });
    });

    test('replaces the oldest and names its gateway', async () => {
      const store = await harness().createStore();
      const [oldest, second] = await openedInTurn(store, 2);

      expect(await store.consume(consumeOf(await issued(store), replaceAt(2)))).toMatchObject({
        code: 'admitted',
        replaced: [{ id: oldest?.id, gatewayId: 'gateway-1' }],
      });
      expect(await store.read(oldest?.id ?? '')).toMatchObject({
        state: 'revoked',
        closeCode: 3003,
        closeReason: 'replaced',
        gatewayId: 'gateway-1',
        attempts: 1,
      });
      expect((await store.read(second?.id ?? ''))?.state).toBe('open');
    });

    test('goes by the time of opening, not by the lease', async () => {
      const store = await harness().createStore();
      const [oldest] = await openedInTurn(store, 3);
      if (oldest === undefined) throw new Error('nothing was opened');
      expect(await store.lease(oldest)).toMatchObject({ code: 'held' });

      expect(await store.consume(consumeOf(await issued(store), replaceAt(3)))).toMatchObject({
        replaced: [{ id: oldest.id, gatewayId: 'gateway-1' }],
      });
    });

    test('goes by the time of opening, not by the order in which they were stored', async () => {
      const store = await harness().createStore();
      const known = await opened(store);
      const openedAt = known.openedAt - 5_000;
      const older = {
        ...mint(),
        attemptId: 'a',
        gatewayId: 'gateway-8',
        openedAt,
        sessionExpiresAt: openedAt + 60_000,
      };
      expect(await store.lease(older)).toStrictEqual({ code: 'restored' });

      expect(await store.consume(consumeOf(await issued(store), replaceAt(2)))).toMatchObject({
        replaced: [{ id: older.id, gatewayId: 'gateway-8' }],
      });
    });

    test('replaces several, the oldest first, if the limit was lowered', async () => {
      const store = await harness().createStore();
      const connections = await openedInTurn(store, 5);

      expect(await store.consume(consumeOf(await issued(store), replaceAt(2)))).toMatchObject({
        code: 'admitted',
        replaced: connections.slice(0, 4).map(({ id, gatewayId }) => ({ id, gatewayId })),
      });
      const states = await Promise.all(connections.map(async ({ id }) => (await store.read(id))?.state));
      expect(states).toStrictEqual(['revoked', 'revoked', 'revoked', 'revoked', 'open']);
    });

    test('does not count those that were replaced', async () => {
      const store = await harness().createStore();
      await openedInTurn(store, 3);
      await opened(store, replaceAt(1));

      expect(await store.consume(consumeOf(await issued(store), refuseAt(2)))).toMatchObject({ code: 'admitted' });
      expect(await store.consume(consumeOf(await issued(store), refuseAt(2)))).toMatchObject({
        code: 'connection_limit',
      });
    });

    test('replaces none if the ticket is refused for its bindings', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      const ticket = await issued(store, { path: '/a' });

      expect(await store.consume(consumeOf(ticket, { ...replaceAt(1), path: '/b' }))).toMatchObject({
        code: 'path_refused',
      });
      expect((await store.read(connection.id))?.state).toBe('open');
    });

    test('does not replace a connection whose lease has lapsed', async () => {
      const store = await harness().createStore({ leaseMs: 20 });
      await opened(store);
      await harness().advance(21);

      expect(await store.consume(consumeOf(await issued(store), replaceAt(1)))).toMatchObject({
        code: 'admitted',
        replaced: [],
      });
    });

    test('tells a replaced connection at its next lease', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await opened(store, replaceAt(1));

      expect(await store.lease(connection)).toStrictEqual({ code: 'ended', reason: 'replaced' });
    });

    test('does not change the reason of a revoked connection', async () => {
      const store = await harness().createStore();
      const connection = await opened(store, { gatewayId: 'gateway-1' });
      await store.revoke({ id: connection.id });

      expect(await store.consume(consumeOf(await issued(store), replaceAt(1)))).toMatchObject({
        replaced: [{ id: connection.id, gatewayId: 'gateway-1' }],
      });
      expect(await store.read(connection.id)).toMatchObject({ state: 'revoked', closeReason: 'revoked' });
      expect(await store.lease(connection)).toStrictEqual({ code: 'ended', reason: 'revoked' });
    });

    test('admits all of many simultaneous requests, and leaves as many open as the limit', async () => {
      const store = await harness().createStore();
      const tickets = await Promise.all(Array.from({ length: 12 }, () => issued(store)));
      const outcomes = await Promise.all(tickets.map((ticket) => store.consume(consumeOf(ticket, replaceAt(2)))));

      expect(outcomes.map(({ code }) => code)).toStrictEqual(Array<string>(12).fill('admitted'));
      const gone = outcomes.flatMap((outcome) => (outcome.code === 'admitted' ? outcome.replaced : []));
      expect(new Set(gone.map(({ id }) => id)).size).toBe(10);
      expect((await store.list('ada')).records.filter(({ state }) => state === 'open')).toHaveLength(2);
    });
  });
}
