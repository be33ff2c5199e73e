import { describe, expect, test } from 'vitest';
import { subjectDigest } from '../../../../shared/ticket/ticket.ts';
import { COLLIDING, closeOf, consumeOf, issued, issueOf, mint, opened } from '../requests.ts';
import type { Harness } from './harness.ts';

/** The digest chooses a slot of the Cluster. Beside that, subjects who share it have nothing to do with each other. */
export function sameDigestContract(harness: () => Harness): void {
  const [one, other] = COLLIDING;

  describe('two subjects with the same digest', () => {
    test('have the same digest', () => {
      expect(subjectDigest(one)).toBe(subjectDigest(other));
    });

    test('have a limit of open connections each', async () => {
      const store = await harness().createStore();
      await opened(store, { maxConnections: 1 }, one);

      expect(await store.consume(consumeOf(await issued(store, {}, other), { maxConnections: 1 }))).toMatchObject({
        code: 'admitted',
      });
      for (const subject of COLLIDING) {
        const ticket = await issued(store, {}, subject);
        expect(await store.consume(consumeOf(ticket, { maxConnections: 1 }))).toMatchObject({
          code: 'connection_limit',
        });
      }
    });

    test('replace their own connections only', async () => {
      const store = await harness().createStore();
      const foreign = await opened(store, { gatewayId: 'gateway-1' }, one);
      await harness().advance(1);
      const own = await opened(store, { gatewayId: 'gateway-2' }, other);
      const late = consumeOf(await issued(store, {}, other), { maxConnections: 1, limitPolicy: 'replace' });

      expect(await store.consume(late)).toMatchObject({
        code: 'admitted',
        replaced: [{ id: own.id, gatewayId: 'gateway-2' }],
      });
      expect(await store.read(foreign.id)).toMatchObject({ state: 'open' });
      expect(await store.lease(foreign)).toMatchObject({ code: 'held' });
    });

    test('have a limit of unspent tickets each, and wait for their own', async () => {
      const store = await harness().createStore();
      await issued(store, { ttlMs: 1_000, maxPending: 1 }, one);
      await issued(store, { ttlMs: 30_000, maxPending: 1 }, other);
      const outcome = await store.issue(issueOf(mint(other), { maxPending: 1 }));

      expect(outcome).toMatchObject({ code: 'pending_limit' });
      expect(outcome).toHaveProperty(
        'retryAfterMs',
        expect.toSatisfy((ms: number) => ms > 1_000),
      );
    });

    test('free their own slots and tickets only', async () => {
      const store = await harness().createStore();
      const [closed, kept] = [await opened(store, {}, one), await opened(store, {}, other)];
      await store.close(closeOf(closed));
      await store.revoke({ id: (await issued(store, {}, one)).id });
      const unspent = await issued(store, {}, other);

      expect((await store.list(one)).records).toStrictEqual([]);
      expect((await store.list(other)).records.map(({ id }) => id).sort()).toStrictEqual([kept.id, unspent.id].sort());
    });

    test('have a connection that a lease restored counted as their own', async () => {
      const store = await harness().createStore();
      const now = await harness().now();
      const lost = { ...mint(one), attemptId: 'a', gatewayId: 'g', openedAt: now, sessionExpiresAt: now + 60_000 };
      await store.lease(lost);

      expect(await store.consume(consumeOf(await issued(store, {}, other), { maxConnections: 1 }))).toMatchObject({
        code: 'admitted',
      });
      expect((await store.list(one)).records.map(({ id }) => id)).toStrictEqual([lost.id]);
    });

    test('have counts of their own', async () => {
      const store = await harness().createStore();
      const count = (key: string) => store.count({ kind: 'subject', key, windowMs: 60_000, add: 1 });
      await count(one);
      await count(one);

      expect((await count(other)).count).toBe(1);
    });
  });
}
