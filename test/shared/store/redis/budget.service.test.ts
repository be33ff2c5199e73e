import { readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RedisLink } from '../../../../shared/store/redis/redis-link.ts';
import { RedisStore } from '../../../../shared/store/redis/redis-store.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts';
import { DEFAULTS } from '../contract/harness.ts';
import { closeOf, consumeOf, issued, noteOf, opened } from '../requests.ts';

const HISTORY = 20;
const KIB = 1_024;

/** The longest of everything that a caller can have stored, each of a kind that Redis cannot store shorter. */
const SUBJECT = '\u{1F3AB}'.repeat(256);
const ORIGIN = `https://${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(50)}:65535`;
const LONGEST = {
  audience: 'a'.repeat(64),
  path: `/${'p'.repeat(1_023)}`,
  claims: JSON.stringify({ text: 'c'.repeat(4_085) }),
  clientClaims: JSON.stringify({ text: 'd'.repeat(4_085) }),
  origin: ORIGIN,
  address: 'ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255',
  maxPending: 1_000,
} as const;
const PRESENTED = {
  gatewayId: 'g'.repeat(64),
  audience: LONGEST.audience,
  path: LONGEST.path,
  origin: ORIGIN,
  address: LONGEST.address,
};

let redis: RedisServer;
let store: RedisStore;

beforeAll(async () => {
  redis = await startRedis();
  const link = new RedisLink({ address: { kind: 'single', url: redis.url }, timeoutMs: 60_000 });
  store = new RedisStore({ ...DEFAULTS, historyPerSubject: HISTORY, link, keyPrefix: 'oncegate:' });
  await until(() => store.ready, { what: 'the store is ready' });
  return () => store.end();
});
beforeEach(async () => {
  await redis.client.flushall();
});

const keysOf = (kind: string): Promise<string[]> => redis.client.keys(`oncegate:${kind}:*`);

async function bytesOf(keys: readonly string[]): Promise<number> {
  const sizes = await Promise.all(keys.map((key) => redis.client.memory('USAGE', key, 'SAMPLES', 0)));
  return sizes.reduce<number>((sum, size) => sum + Number(size), 0);
}

describe('what one subject has in Redis', () => {
  test('is at most 20 KiB for a ticket, whatever it was issued with and however it ended', async () => {
    const connection = await opened(store, PRESENTED, SUBJECT, LONGEST);
    await store.close({ ...closeOf(connection), closeReason: 'r'.repeat(123) });
    await store.note(noteOf(connection, { gatewayId: PRESENTED.gatewayId, origin: ORIGIN, address: LONGEST.address }));

    expect(await bytesOf(await redis.client.keys('*'))).toBeLessThan(20 * KIB);
  });

  test('is less than 1 kB for an ordinary ticket', async () => {
    const address = '192.0.2.1';
    const origin = 'https://app.example.org';
    const subject = 'b8f7f5a0-6c0e-4e6c-9a43-3f9b7f0a8b11';
    const connection = await opened(store, { origin, address, path: '/room/7' }, subject, {
      origin,
      address,
      path: '/room/7',
    });
    expect(await store.lease(connection)).toMatchObject({ code: 'held' });

    expect(await bytesOf(await keysOf('ticket'))).toBeLessThan(1_000);
  });

  test('does not grow with tickets that are issued and ended in a loop, and ended ones take less than 6 KiB', async () => {
    const loops = [
      async () => store.revoke({ id: (await issued(store, LONGEST, SUBJECT)).id }),
      async () => store.consume(consumeOf(await issued(store, LONGEST, SUBJECT), { ...PRESENTED, path: '/other' })),
    ];
    for (const endOne of loops) {
      await redis.client.flushall();
      for (let count = 0; count < HISTORY * 5; count += 1) await endOne();
      // The last one has not made room for another yet, and Redis may still be deleting.
      await until(async () => (await keysOf('ticket')).length <= HISTORY + 1, { what: 'the records are bounded' });
      expect(await bytesOf(await redis.client.keys('*'))).toBeLessThan((HISTORY + 1) * 6 * KIB);
    }
  });

  test('is bounded as operations.md says', () => {
    const page = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');

    expect(page).toContain('less than 1 kB plus its claims, and 20 KiB at the most');
    expect(page).toContain('together are 220 records, so 4.3 MiB');
    expect((220 * 20) / KIB).toBeLessThan(4.3);
    expect(page).toContain('leave less than 6 KiB each, and 100 of them');
  });
});
