import { describe, expect, test, vi } from 'vitest';
import { Rate } from '../../../../services/ticket/limits/rate.ts';
import { count, NetworkRate, reserve } from '../../../../services/ticket/limits/reservation.ts';
import { networkOf } from '../../../../shared/http/address.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { StoreUnavailable } from '../../../../shared/store/store.ts';

const storeOf = () => new MemoryStore({ retentionMs: 1_000, leaseMs: 1_000, historyPerSubject: 1_000 });
const rateOf = (quota: number, store = storeOf()) => new Rate({ kind: 'failures', quota, store });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** How many of so many at once find a place, if each is failed or freed after some turns. */
async function passed(many: number, reserved: () => ReturnType<typeof reserve>, fails: boolean): Promise<number> {
  const attempts = Array.from({ length: many }, async (_, index) => {
    for (let wait = index % 7; wait > 0; wait -= 1) await turn();
    const reservation = await reserved();
    if (!reservation.ok) return false;
    for (let wait = index % 5; wait > 0; wait -= 1) await turn();
    if (fails) await reservation.place.fail();
    reservation.place.free();
    return true;
  });
  return (await Promise.all(attempts)).filter((ok) => ok).length;
}

describe('of 300 at once', () => {
  test('exactly as many fail as the limit lets, however they interleave', async () => {
    const rate = rateOf(100);

    expect(await passed(300, () => reserve([[rate, 'a']]), true)).toBe(100);
    expect(await passed(10, () => reserve([[rate, 'a']]), true)).toBe(0);
    expect(await passed(10, () => reserve([[rate, 'b']]), true)).toBe(10);
  });

  test('exactly as many fail while the store is away', async () => {
    const store = storeOf();
    vi.spyOn(store, 'count').mockRejectedValue(new StoreUnavailable('away'));
    const rate = rateOf(100, store);

    expect(await passed(300, () => reserve([[rate, 'a']]), true)).toBe(100);
  });

  test('none that succeeds uses anything up', async () => {
    const rate = rateOf(100);
    for (let round = 0; round < 5; round += 1) await passed(100, () => reserve([[rate, 'a']]), false);

    expect(await passed(300, () => reserve([[rate, 'a']]), true)).toBe(100);
  });

  test.each([
    ['an IPv6 network', (host: number) => `2001:db8:1:2::${host.toString(16)}`, 10],
    ['a site of IPv6', (host: number) => `2001:db8:1:${host.toString(16)}::1`, 160],
    ['many IPv4 addresses', (host: number) => `192.0.${host >> 8}.${host & 255}`, 300],
  ])('as many fail as the limit of %s lets', async (_name, address, expected) => {
    const rate = new NetworkRate({ kind: 'failures', quota: 10, store: storeOf() });
    let host = 0;
    const next = () => reserve(rate.of(networkOf(address(host++), 64)));

    expect(await passed(300, next, true)).toBe(expected);
  });
});

describe('a chain of rates', () => {
  test('leaves a wider one alone once a narrower one is exceeded', async () => {
    const store = storeOf();
    const narrow = new Rate({ kind: 'narrow', quota: 1, store });
    const wide = new Rate({ kind: 'wide', quota: 100, store });
    for (let hit = 0; hit < 5; hit += 1) {
      await count([
        [narrow, 'a'],
        [wide, 'all'],
      ]);
    }

    expect((await wide.look('all')).remaining).toBe(99);
  });

  test('takes no place if one of them is full, and tells how long that lasts', async () => {
    const store = storeOf();
    const narrow = new Rate({ kind: 'narrow', quota: 1, store });
    const wide = new Rate({ kind: 'wide', quota: 1, store });
    await wide.hit('all');
    const refused = await reserve([
      [narrow, 'a'],
      [wide, 'all'],
    ]);

    expect(refused).toEqual({ ok: false, resetSeconds: 60 });
    expect((await reserve([[narrow, 'a']])).ok).toBe(true);
  });

  test('without a limit lets everything pass', async () => {
    const rate = rateOf(0);

    expect(await passed(300, () => reserve([[rate, 'a']]), true)).toBe(300);
  });
});
