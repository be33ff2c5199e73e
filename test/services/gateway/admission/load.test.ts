import { describe, expect, test } from 'vitest';
import { Load, type LoadLimits } from '../../../../services/gateway/admission/load.ts';
import { type RefusalCode, refusalCodes } from '../../../../shared/refusals.ts';

const UNLIMITED: LoadLimits = { maxConnections: 0, maxPendingUpgrades: 1_000, maxFailedHandshakesPerMinute: 0 };

function loadOf(limits: Partial<LoadLimits> = {}, connections = 0, now?: () => number): Load {
  return new Load({ ...UNLIMITED, ...limits }, () => connections, now);
}

const codeOf = async (load: Load, address = '192.0.2.1'): Promise<RefusalCode | undefined> =>
  (await load.refusal(address))?.code;

describe('a gateway', () => {
  test('takes an upgrade where nothing speaks against it', async () => {
    const load = loadOf();
    load.enter();

    expect(await codeOf(load)).toBeUndefined();
  });

  test('that drains takes none, whatever else holds', async () => {
    const load = loadOf({ maxConnections: 1, maxPendingUpgrades: 1 }, 5);
    load.enter();
    load.enter();
    load.drain();

    expect(load.draining).toBe(true);
    expect(await codeOf(load)).toBe('draining');
  });

  test('knows which of those that it decides about may still be admitted in a drain', () => {
    const load = loadOf();
    const slot = load.enter();
    load.drain();
    const later = load.enter();
    expect(load.admissible).toBe(1);
    load.leave(slot);
    expect(load.admissible).toBe(0);
    load.leave(later);
    expect(load.admissible).toBe(0);
  });

  test('has the place of one that is refused free at once, and waits for its answer in a drain all the same', async () => {
    const load = loadOf({ maxPendingUpgrades: 1 });
    const refused = load.enter();
    load.enter();
    expect(await codeOf(load)).toBe('overloaded');
    load.free(refused);
    expect(await codeOf(load)).toBeUndefined();
    expect(load.admissible).toBe(2);

    load.leave(refused);
    expect(load.admissible).toBe(1);
    load.enter();
    expect(await codeOf(load)).toBe('overloaded');
  });

  test('decides about so many at once and no more', async () => {
    const load = loadOf({ maxPendingUpgrades: 2 });
    load.enter();
    const slot = load.enter();
    expect(await codeOf(load)).toBeUndefined();
    load.enter();
    expect(await codeOf(load)).toBe('overloaded');
    load.leave(slot);
    expect(await codeOf(load)).toBeUndefined();
  });

  test('keeps a place for each that it is deciding about', async () => {
    const load = loadOf({ maxConnections: 5 }, 3);
    load.enter();
    expect(await codeOf(load)).toBeUndefined();
    const slot = load.enter();
    expect(await codeOf(load)).toBeUndefined();
    load.enter();
    expect(await codeOf(load)).toBe('connection_limit');
    load.leave(slot);
    expect(await codeOf(load)).toBeUndefined();
  });

  test('refuses an address that has failed too often, for at most a minute, and no other', async () => {
    const load = loadOf({ maxFailedHandshakesPerMinute: 3 });
    load.enter();
    for (let failure = 0; failure < 3; failure += 1) {
      expect(await codeOf(load)).toBeUndefined();
      await load.failed('192.0.2.1', 'ticket_unknown');
    }
    const refusal = await load.refusal('192.0.2.1');

    expect(refusal?.code).toBe('rate_limited');
    expect(refusal?.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(refusal?.retryAfterSeconds).toBeLessThanOrEqual(60);
    expect(await codeOf(load, '192.0.2.2')).toBeUndefined();
  });

  test('does not hold against an address what was not its fault', async () => {
    const innocent = [
      ...['draining', 'overloaded', 'store_unavailable', 'connection_limit', 'rate_limited'],
      ...['upstream_unreachable', 'upstream_timeout', 'upstream_refused'],
    ];
    const counted: string[] = [];
    for (const code of refusalCodes) {
      const load = loadOf({ maxFailedHandshakesPerMinute: 1 });
      await load.failed('192.0.2.1', code);
      if ((await codeOf(load)) === 'rate_limited') counted.push(code);
    }

    expect(counted).toEqual(refusalCodes.filter((code) => !innocent.includes(code)));
  });

  const busy = [
    {
      how: 'decides about too many upgrades',
      async make(load: Load) {
        for (let upgrade = 0; upgrade < 3; upgrade += 1) load.enter();
      },
    },
    {
      how: 'drains and decides about too many upgrades',
      async make(load: Load) {
        load.drain();
        for (let upgrade = 0; upgrade < 3; upgrade += 1) load.enter();
      },
    },
    {
      how: 'hears too much from an address',
      make: (load: Load) => load.failed('192.0.2.1', 'ticket_unknown'),
    },
  ];

  test('is too busy to note without bounds while as many are decided about and noted as it may decide about', async () => {
    const load = loadOf({ maxPendingUpgrades: 20 }, 0, () => 0);
    for (let upgrade = 0; upgrade < 10; upgrade += 1) load.enter();
    const done = await Promise.all(Array.from({ length: 100 }, () => load.mayNote('192.0.2.1')));

    // Ten without bounds, and then until fifty are under way.
    expect(done.filter((noted) => noted !== undefined)).toHaveLength(50);
  });

  test.each(busy)('notes at most 50 refusals at once while it $how', async ({ make }) => {
    let now = 0;
    const load = loadOf({ maxPendingUpgrades: 2, maxFailedHandshakesPerMinute: 1 }, 0, () => now);
    const mayNote = () => load.mayNote('192.0.2.1');
    await make(load);
    const done = await Promise.all(Array.from({ length: 50 }, mayNote));
    now = 1_000;

    expect(done).not.toContain(undefined);
    expect(await mayNote()).toBeUndefined();
    done[0]?.();
    expect(await mayNote()).toBeTypeOf('function');
    expect(await mayNote()).toBeUndefined();
  });

  test.each(busy)('notes at most 50 refusals in a second, however fast each is, while it $how', async ({ make }) => {
    let now = 0;
    const load = loadOf({ maxPendingUpgrades: 2, maxFailedHandshakesPerMinute: 1 }, 0, () => now);
    const noted = async (attempts: number): Promise<number> => {
      let count = 0;
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const done = await load.mayNote('192.0.2.1');
        done?.();
        if (done !== undefined) count += 1;
      }
      return count;
    };
    await make(load);

    expect(await noted(400)).toBe(50);
    now = 999;
    expect(await noted(400)).toBe(0);
    now = 1_000;
    expect(await noted(400)).toBe(50);
  });

  test('notes every refusal while it is not too busy, whoever else is', async () => {
    const load = loadOf({ maxFailedHandshakesPerMinute: 1 });
    await load.failed('192.0.2.2', 'ticket_unknown');
    for (let attempt = 0; attempt < 60; attempt += 1) (await load.mayNote('192.0.2.2'))?.();
    const done = await Promise.all(Array.from({ length: 200 }, () => load.mayNote('192.0.2.1')));

    expect(done).not.toContain(undefined);
  });
});
