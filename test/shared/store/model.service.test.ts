import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryStore } from '../../../shared/store/memory/memory-store.ts';
import { subjectDigest } from '../../../shared/ticket/ticket.ts';
import { startRedis } from '../../support/redis/redis.ts';
import { Model } from './model.ts';
import { commands, type Real } from './model-commands.ts';
import { createRedisHarness } from './redis/redis-harness.ts';

/** Longer than a sequence of commands takes: nothing lapses or is forgotten but by command. */
const options = { leaseMs: 1_000_000, retentionMs: 1_000_000_000_000 };

/** Looking for the shortest counterexample ends then at the latest: it is printed with its seed. */
const PATIENCE_MS = 20_000;

/** Every answer of consume: a run that never gets one of them shows nothing about it. */
const ANSWERS = [
  ...['admitted', 'ticket_unknown', 'ticket_revoked', 'ticket_consumed', 'ticket_expired', 'audience_refused'],
  ...['path_refused', 'origin_refused', 'address_refused', 'connection_limit'],
  'upstream_refused', // of an admission that was taken back, when its attempt asks again
].sort();

test('the in-memory store does what the model does', async () => {
  const seen = new Set<string>();
  function createReal(): Real {
    let time = 1_800_000_000_000;
    const advance = async (ms: number): Promise<void> => {
      time += ms;
    };
    return {
      store: new MemoryStore({ ...options, now: () => time }),
      run: '',
      advance,
      lapse: () => advance(options.leaseMs + 1),
      now: async () => time,
      seen,
    };
  }
  await fc.assert(
    fc.asyncProperty(commands(80), (sequence) =>
      fc.asyncModelRun(() => ({ model: new Model(), real: createReal() }), sequence),
    ),
    { numRuns: 300, interruptAfterTimeLimit: PATIENCE_MS },
  );
  expect([...seen].sort()).toStrictEqual(ANSWERS);
}, 30_000);

test('the Redis store does what the model does', async () => {
  const redis = await startRedis();
  const harness = createRedisHarness({
    address: { kind: 'single', url: redis.url },
    clientOf: async () => redis.client,
    clients: () => [redis.client],
  });
  const store = await harness.createStore(options);
  const keys = harness.keysOf(store);
  let runs = 0;
  function createReal(): Real {
    runs += 1;
    return {
      store,
      run: `-${runs}`,
      advance: harness.advance,
      // The deadlines are put into the past: real leases are as long as the slowest machine needs.
      async lapse(subjects) {
        for (const key of subjects.map((subject) => keys.connections(subjectDigest(subject)))) {
          for (const id of await redis.client.zrange(key, '0', '-1')) await redis.client.zadd(key, 'XX', 1, id);
        }
      },
      now: harness.now,
      seen: new Set(),
    };
  }
  await fc.assert(
    fc.asyncProperty(commands(80), (sequence) =>
      fc.asyncModelRun(() => ({ model: new Model(), real: createReal() }), sequence),
    ),
    { numRuns: 50, interruptAfterTimeLimit: PATIENCE_MS },
  );
}, 60_000);
