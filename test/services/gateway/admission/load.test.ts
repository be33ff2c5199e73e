import { describe, expect, test } from 'vitest';
import { Load, type LoadLimits, type Slot } from '../../../../services/gateway/admission/load.ts';
import { type RefusalCode, refusalCodes } from '../../../../shared/refusals.ts';

const UNLIMITED: LoadLimits = {
  maxConnections: 0,
  maxPendingUpgrades: 1_000,
  maxFailedHandshakesPerMinute: 0,
  ipv6PrefixBits: 64,
};
const SLOT: Slot = { deciding: 0, admissible: 0 };

function loadOf(limits: Partial<LoadLimits> = {}, connections = 0, now?: () => number): Load {
  return new Load({ ...UNLIMITED, ...limits }, () => connections, now);
}

/** The code for an upgrade that is decided at once. */
function codeOf(load: Load, address = '192.0.2.1'): RefusalCode | undefined {
  const slot: Slot = { deciding: 0, admissible: 0 };
  const refusal = load.refusal(address, slot);
  slot.freePlace?.();
  return refusal?.code;
}

const fail = (load: Load, address = '192.0.2.1', code: RefusalCode = 'ticket_unknown'): void =>
  load.failed(address, code, SLOT);

describe('a gateway', () => {
  test('takes an upgrade where nothing speaks against it', async () => {
    const load = loadOf();
    load.enter();

    expect(codeOf(load)).toBeUndefined();
  });

  test('that drains takes none, whatever else holds', async () => {
    const load = loadOf({ maxConnections: 1, maxPendingUpgrades: 1 }, 5);
    load.enter();
    load.enter();
    load.drain();

    expect(load.draining).toBe(true);
    expect(codeOf(load)).toBe('draining');
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
    expect(codeOf(load)).toBe('overloaded');
    load.free(refused);
    expect(codeOf(load)).toBeUndefined();
    expect(load.admissible).toBe(2);

    load.leave(refused);
    expect(load.admissible).toBe(1);
    load.enter();
    expect(codeOf(load)).toBe('overloaded');
  });

  test('decides about so many at once and no more', async () => {
    const load = loadOf({ maxPendingUpgrades: 2 });
    load.enter();
    const slot = load.enter();
    expect(codeOf(load)).toBeUndefined();
    load.enter();
    expect(codeOf(load)).toBe('overloaded');
    load.leave(slot);
    expect(codeOf(load)).toBeUndefined();
  });

  test('keeps a place for each that it is deciding about', async () => {
    const load = loadOf({ maxConnections: 5 }, 3);
    load.enter();
    expect(codeOf(load)).toBeUndefined();
    const slot = load.enter();
    expect(codeOf(load)).toBeUndefined();
    load.enter();
    expect(codeOf(load)).toBe('connection_limit');
    load.leave(slot);
    expect(codeOf(load)).toBeUndefined();
  });

  test('refuses an address that has failed too often, for at most a minute, and no other', async () => {
    const load = loadOf({ maxFailedHandshakesPerMinute: 3 });
    load.enter();
    for (let failure = 0; failure < 3; failure += 1) {
      expect(codeOf(load)).toBeUndefined();
      fail(load);
    }
    const refusal = load.refusal('192.0.2.1', load.enter());

    expect(refusal?.code).toBe('rate_limited');
    expect(refusal?.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(refusal?.retryAfterSeconds).toBeLessThanOrEqual(60);
    expect(codeOf(load, '192.0.2.2')).toBeUndefined();
  });

  test.each([
    ['one address', () => '192.0.2.1', 100],
    ['the addresses of one IPv6 network', (host: number) => `2001:db8:1:2::${host.toString(16)}`, 100],
    ['the networks of one IPv6 site', (host: number) => `2001:db8:1:${host.toString(16)}::1`, 1_600],
  ])('decides about so many at once from %s as may still fail, and no more', (_name, addressOf, expected) => {
    const load = loadOf({ maxPendingUpgrades: 10_000, maxFailedHandshakesPerMinute: 100 });
    const upgrades = Array.from({ length: 3_000 }, (_, host) => ({ address: addressOf(host), slot: load.enter() }));
    const decided = upgrades.filter(({ address, slot }) => load.refusal(address, slot) === undefined);
    expect(decided).toHaveLength(expected);
    // One that succeeds gives its place back; one that fails does not.
    for (const [index, { address, slot }] of decided.entries()) {
      if (index > 0) load.failed(address, 'ticket_unknown', slot);
      load.leave(slot);
    }
    const first = addressOf(0);

    expect(codeOf(load, first)).toBeUndefined();
    fail(load, first);
    expect(codeOf(load, first)).toBe('rate_limited');
    expect(codeOf(load, '192.0.2.99')).toBeUndefined();
  });

  test('does not hold against an address what was not its fault', async () => {
    const innocent = [
      ...['draining', 'overloaded', 'store_unavailable', 'connection_limit', 'rate_limited'],
      ...['request_timeout', 'upstream_unreachable', 'upstream_timeout', 'upstream_refused'],
    ];
    const counted: string[] = [];
    for (const code of refusalCodes) {
      const load = loadOf({ maxFailedHandshakesPerMinute: 1 });
      fail(load, '192.0.2.1', code);
      if (codeOf(load) === 'rate_limited') counted.push(code);
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
      make: (load: Load) => fail(load),
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
    fail(load, '192.0.2.2');
    for (let attempt = 0; attempt < 60; attempt += 1) (await load.mayNote('192.0.2.2'))?.();
    const done = await Promise.all(Array.from({ length: 200 }, () => load.mayNote('192.0.2.1')));

    expect(done).not.toContain(undefined);
  });
});
