import { describe, expect, test } from 'vitest';
import { COLLIDING, closeOf, consumeOf, issued, mint, opened } from '../requests.ts';
import type { Harness } from './harness.ts';

export function listContract(harness: () => Harness): void {
  describe('read', () => {
    test('finds no ticket that was never issued', async () => {
      const store = await harness().createStore();

      expect(await store.read(mint().id)).toBeNull();
    });

    test('writes nothing', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const before = await harness().snapshot(store, ticket.id);
      await store.read(ticket.id);
      await store.list('ada');

      expect(await harness().snapshot(store, ticket.id)).toStrictEqual(before);
    });
  });

  describe('list', () => {
    test('is empty for a subject without tickets', async () => {
      const store = await harness().createStore();

      expect(await store.list('nobody')).toStrictEqual([]);
    });

    test('shows unspent tickets and open connections, the newest first', async () => {
      const store = await harness().createStore();
      const ids: string[] = [];
      for (let index = 0; index < 6; index += 1) {
        // The oldest ticket expires last: the order is that of issuing, not of expiry.
        const { id } = index % 2 === 0 ? await issued(store, { ttlMs: 30_000 - index * 1_000 }) : await opened(store);
        ids.unshift(id);
        await harness().advance(1);
      }
      const list = await store.list('ada');

      expect(list.map(({ id }) => id)).toStrictEqual(ids);
      expect(list).toStrictEqual(await Promise.all(ids.map((id) => store.read(id))));
    });

    test('leaves out what has ended', async () => {
      const store = await harness().createStore();
      await store.close(closeOf(await opened(store)));
      const refused = await issued(store, { path: '/a' });
      await store.consume(consumeOf(refused, { path: '/b' }));
      await store.revoke({ id: (await issued(store)).id });

      expect(await store.list('ada')).toStrictEqual([]);
    });

    test('leaves out a ticket that has expired, next to one that has not', async () => {
      const store = await harness().createStore();
      await issued(store, { ttlMs: 20 });
      await harness().advance(21);
      expect(await store.list('ada')).toStrictEqual([]);
      const unspent = await issued(store);
      await issued(store, { ttlMs: 20 });
      await harness().advance(21);

      expect((await store.list('ada')).map(({ id }) => id)).toStrictEqual([unspent.id]);
    });

    test('leaves out a connection whose lease has lapsed', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      await opened(store);
      await harness().advance(51);

      expect(await store.list('ada')).toStrictEqual([]);
    });

    test('shows a revoked connection that its gateway has not closed yet', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.revoke({ id: connection.id });

      expect(await store.list('ada')).toMatchObject([{ id: connection.id, state: 'revoked' }]);
    });

    test('leaves out a revoked connection whose lease has lapsed', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      await store.revoke({ id: (await opened(store)).id });
      await harness().advance(51);

      expect(await store.list('ada')).toStrictEqual([]);
    });

    test('leaves out another subject, even one with the same digest', async () => {
      const store = await harness().createStore();
      const [one, other] = COLLIDING;
      await issued(store, {}, 'eve');
      await issued(store, {}, other);
      const own = await issued(store, {}, one);

      expect((await store.list(one)).map(({ id }) => id)).toStrictEqual([own.id]);
    });
  });
}
