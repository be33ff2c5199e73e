import { describe, expect, test } from 'vitest';
import type { CountOutcome, CountRequest, TicketStore } from '../../../../shared/store/store.ts';
import type { Harness } from './harness.ts';

export function countContract(harness: () => Harness): void {
  const WINDOW_MS = 60_000;
  const count = (store: TicketStore, add: 0 | 1, request: Partial<CountRequest> = {}): Promise<CountOutcome> =>
    store.count({ kind: 'address', key: '192.0.2.1', windowMs: WINDOW_MS, add, ...request });

  describe('count', () => {
    test('is 0 before anything was counted, and a look stores nothing', async () => {
      const store = await harness().createStore();

      expect(await count(store, 0)).toStrictEqual({ count: 0, resetMs: 0 });
      expect(await count(store, 0)).toStrictEqual({ count: 0, resetMs: 0 });
      expect((await count(store, 1)).count).toBe(1);
    });

    test('counts events, and tells when the window ends', async () => {
      const store = await harness().createStore();
      const first = await count(store, 1);

      expect(first.count).toBe(1);
      expect(first.resetMs).toBeGreaterThan(WINDOW_MS - 5_000);
      expect(first.resetMs).toBeLessThanOrEqual(WINDOW_MS);
      expect((await count(store, 1)).count).toBe(2);
      expect((await count(store, 1)).count).toBe(3);
    });

    test('reads without counting', async () => {
      const store = await harness().createStore();
      await count(store, 1);
      const looks = [await count(store, 0), await count(store, 0)];

      expect(looks.map((outcome) => outcome.count)).toStrictEqual([1, 1]);
      for (const { resetMs } of looks) expect(resetMs).toBeGreaterThan(0);
    });

    test('does not move the window, whatever is counted or read later', async () => {
      const store = await harness().createStore();
      const first = await count(store, 1);
      await harness().advance(20);
      const second = await count(store, 1, { windowMs: 10 * WINDOW_MS });
      const look = await count(store, 0, { windowMs: 10 * WINDOW_MS });

      expect(second.resetMs).toBeLessThanOrEqual(first.resetMs - 20);
      expect(look.resetMs).toBeLessThanOrEqual(second.resetMs);
    });

    test('begins a new window after the last has ended', async () => {
      const store = await harness().createStore();
      await count(store, 1, { windowMs: 200 });
      await count(store, 1, { windowMs: 200 });
      await harness().advance(201);

      expect(await count(store, 0, { windowMs: 200 })).toStrictEqual({ count: 0, resetMs: 0 });
      const anew = await count(store, 1);
      expect(anew.count).toBe(1);
      expect(anew.resetMs).toBeGreaterThan(WINDOW_MS - 5_000);
    });

    test('keeps kinds and keys apart', async () => {
      const store = await harness().createStore();
      await count(store, 1);
      await count(store, 1);

      expect((await count(store, 0, { kind: 'subject' })).count).toBe(0);
      expect((await count(store, 0, { key: '192.0.2.2' })).count).toBe(0);
      expect((await count(store, 1, { kind: 'subject' })).count).toBe(1);
      expect((await count(store, 1, { key: '192.0.2.2' })).count).toBe(1);
      // The same text may be split into kind and key in several ways.
      expect((await count(store, 0, { kind: 'a', key: 'ddress:192.0.2.1' })).count).toBe(0);
      expect((await count(store, 0)).count).toBe(2);
    });

    test.each(['', ' ', 'ä 🎟', '{a}:b', 'a\nb', '__proto__', 'x'.repeat(10_000)])(
      'accepts any key: %j',
      async (key) => {
        const store = await harness().createStore();
        await count(store, 1, { key });

        expect((await count(store, 1, { key })).count).toBe(2);
        expect((await count(store, 0, { key: `${key}x` })).count).toBe(0);
      },
    );

    test('counts every one of many simultaneous events', async () => {
      const store = await harness().createStore();
      const outcomes = await Promise.all(Array.from({ length: 100 }, () => count(store, 1)));

      expect(outcomes.map((outcome) => outcome.count).sort((a, b) => a - b)).toStrictEqual(
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
    });
  });
}
