import { describe, expect, test } from 'vitest';
import type { ListPosition } from '../../../../shared/store/store.ts';
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

      expect((await store.list('nobody')).records).toStrictEqual([]);
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
      const list = (await store.list('ada')).records;

      expect(list.map(({ id }) => id)).toStrictEqual(ids);
      expect(list).toStrictEqual(await Promise.all(ids.map((id) => store.read(id))));
    });

    test('leaves out what may be long', async () => {
      const store = await harness().createStore();
      const bindings = { path: '/', origin: 'https://app.example', address: '192.0.2.1' };
      const { id } = await issued(store, { ...bindings, audience: 'chat', claims: '{"a":1}', clientClaims: '{"b":2}' });
      const { records } = await store.list('ada');

      expect(records).toMatchObject([{ id, audience: 'chat' }]);
      for (const field of ['claims', 'clientClaims', ...Object.keys(bindings)]) {
        expect(records[0]).not.toHaveProperty(field);
        expect(await store.read(id)).toHaveProperty(field);
      }
    });

    test('has pages, each with the position of its last ticket if there are more', async () => {
      const store = await harness().createStore();
      const ids: string[] = [];
      for (let index = 0; index < 5; index += 1) {
        ids.unshift((index % 2 === 0 ? await issued(store) : await opened(store)).id);
        await harness().advance(1);
      }
      const first = await store.list('ada', { limit: 2 });
      const second = await store.list('ada', { limit: 2, after: first.next });
      const third = await store.list('ada', { limit: 2, after: second.next });

      const pages = [first, second, third];
      expect(pages.map(({ records }) => records.map(({ id }) => id))).toStrictEqual([
        ids.slice(0, 2),
        ids.slice(2, 4),
        ids.slice(4),
      ]);
      expect(pages.map(({ next }) => next?.id)).toStrictEqual([ids[1], ids[3], undefined]);
      expect((await store.list('ada', { limit: 5 })).next).toBeUndefined();
    });

    test('has pages that no ticket leaves or joins because another was issued or has ended', async () => {
      const store = await harness().createStore();
      const tickets: Array<{ id: string }> = [];
      for (let index = 0; index < 6; index += 1) {
        tickets.unshift(await issued(store));
        await harness().advance(1);
      }
      const ids = tickets.map(({ id }) => id);
      const { next } = await store.list('ada', { limit: 3 });
      await issued(store);
      await store.revoke({ id: ids[1] ?? '' });
      await store.revoke({ id: next?.id ?? '' });

      const second = await store.list('ada', { limit: 3, after: next });
      expect(second.records.map(({ id }) => id)).toStrictEqual(ids.slice(3));
    });

    test('tells tickets of the same ms apart', async () => {
      const store = await harness().createStore();
      const tickets = await Promise.all(Array.from({ length: 9 }, () => issued(store)));
      const seen: string[] = [];
      let after: ListPosition | undefined;
      do {
        const { records, next } = await store.list('ada', { limit: 2, after });
        seen.push(...records.map(({ id }) => id));
        after = next;
      } while (after !== undefined);

      expect(seen.sort()).toStrictEqual(tickets.map(({ id }) => id).sort());
    });

    test('leaves out what has ended', async () => {
      const store = await harness().createStore();
      await store.close(closeOf(await opened(store)));
      const refused = await issued(store, { path: '/a' });
      await store.consume(consumeOf(refused, { path: '/b' }));
      await store.revoke({ id: (await issued(store)).id });

      expect((await store.list('ada')).records).toStrictEqual([]);
    });

    test('leaves out a ticket that has expired, next to one that has not', async () => {
      const store = await harness().createStore();
      await issued(store, { ttlMs: 20 });
      await harness().advance(21);
      expect((await store.list('ada')).records).toStrictEqual([]);
      const unspent = await issued(store);
      await issued(store, { ttlMs: 20 });
      await harness().advance(21);

      expect((await store.list('ada')).records.map(({ id }) => id)).toStrictEqual([unspent.id]);
    });

    test('leaves out a connection whose lease has lapsed', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      await opened(store);
      await harness().advance(51);

      expect((await store.list('ada')).records).toStrictEqual([]);
    });

    test('shows a revoked connection that its gateway has not closed yet', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.revoke({ id: connection.id });

      expect((await store.list('ada')).records).toMatchObject([{ id: connection.id, state: 'revoked' }]);
    });

    test('leaves out a revoked connection whose lease has lapsed', async () => {
      const store = await harness().createStore({ leaseMs: 50 });
      await store.revoke({ id: (await opened(store)).id });
      await harness().advance(51);

      expect((await store.list('ada')).records).toStrictEqual([]);
    });

    test('leaves out another subject, even one with the same digest', async () => {
      const store = await harness().createStore();
      const [one, other] = COLLIDING;
      await issued(store, {}, 'eve');
      await issued(store, {}, other);
      const own = await issued(store, {}, one);

      expect((await store.list(one)).records.map(({ id }) => id)).toStrictEqual([own.id]);
    });
  });
}
