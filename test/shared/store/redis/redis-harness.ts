import type { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { createKeys, type Keys } from '../../../../shared/store/keys.ts';
import type { RedisAddress } from '../../../../shared/store/redis/redis-client.ts';
import { RedisLink, type RedisLinkOptions } from '../../../../shared/store/redis/redis-link.ts';
import { RedisStore } from '../../../../shared/store/redis/redis-store.ts';
import type { Reply } from '../../../../shared/store/redis/replies.ts';
import type { ScriptName } from '../../../../shared/store/scripts.ts';
import type { StoreOptions } from '../../../../shared/store/store.ts';
import { until } from '../../../support/machine/wait.ts';
import { DEFAULTS, type Harness } from '../contract/harness.ts';
import { outcomeOf } from '../lua-header.ts';

/** A time-out that a busy machine does not reach. */
const PATIENT_MS = 30_000;

/** The outcomes that each script has returned. */
export type Outcomes = Map<ScriptName, Set<string>>;

/** A link that keeps the outcomes of each script. */
class ObservedLink extends RedisLink {
  readonly #outcomes: Outcomes;

  constructor(options: RedisLinkOptions, outcomes: Outcomes) {
    super(options);
    this.#outcomes = outcomes;
  }

  override async script(
    name: ScriptName,
    keys: readonly string[],
    values: ReadonlyArray<string | number>,
  ): Promise<Reply> {
    const reply = await super.script(name, keys, values);
    const seen = this.#outcomes.get(name) ?? new Set();
    this.#outcomes.set(name, seen.add(outcomeOf(name, reply)));
    return reply;
  }
}

export interface RedisHarness extends Harness {
  createStore(options?: Partial<StoreOptions>): Promise<RedisStore>;
  /** The key names of a store. */
  keysOf(store: object): Keys;
  /** The prefix of all keys of a store. */
  prefixOf(store: object): string;
  readonly outcomes: Outcomes;
}

interface Side {
  /** Where the stores connect to. */
  readonly address: RedisAddress;
  /** A client of the test's own, on the server that has a key. */
  clientOf(key: string): Promise<Redis>;
  /** One for each server: a subscription may be on any of them. */
  clients(): readonly Redis[];
}

let prefixes = 0;

/** A harness on real servers. Every store has a key prefix of its own. */
export function createRedisHarness({ address, clientOf, clients }: Side): RedisHarness {
  const outcomes: Outcomes = new Map();
  const made = new WeakMap<object, { keys: Keys; prefix: string }>();

  function of(store: object): { keys: Keys; prefix: string } {
    const found = made.get(store);
    if (found === undefined) throw new Error('not a store of this harness');
    return found;
  }
  async function timeOf(client: Redis): Promise<number> {
    const [seconds, microseconds] = await client.time();
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  }

  return {
    outcomes,
    keysOf: (store) => of(store).keys,
    prefixOf: (store) => of(store).prefix,
    async createStore(options) {
      prefixes += 1;
      const prefix = `test-${prefixes}:`;
      const link = new ObservedLink({ address, timeoutMs: PATIENT_MS }, outcomes);
      const store = new RedisStore({ ...DEFAULTS, ...options, link, keyPrefix: prefix });
      onTestFinished(() => store.end());
      made.set(store, { keys: createKeys(prefix), prefix });
      await until(() => store.ready, { what: 'the store is ready', everyMs: 1 });
      return store;
    },
    async advance(ms) {
      const client = await clientOf('');
      const goal = (await timeOf(client)) + ms;
      await until(async () => (await timeOf(client)) >= goal, { timeoutMs: ms + 60_000, everyMs: 1 });
    },
    now: async () => timeOf(await clientOf('')),
    async snapshot(store, id) {
      const keys = of(store).keys;
      const client = await clientOf(keys.ticket(id));
      const moments: number[] = [];
      for (const key of [keys.ticket(id), keys.connections(id), keys.pending(id), keys.history(id)]) {
        moments.push(Number(await client.call('PEXPIRETIME', key)));
      }
      return {
        record: await client.hgetall(keys.ticket(id)),
        connections: await client.zrange(keys.connections(id), '0', '-1', 'WITHSCORES'),
        pending: await client.zrange(keys.pending(id), '0', '-1', 'WITHSCORES'),
        history: await client.zrange(keys.history(id), '0', '-1', 'WITHSCORES'),
        moments,
      };
    },
    async listening(store, gatewayId) {
      const channel = of(store).keys.control(gatewayId);
      await until(
        async () => {
          const counts = await Promise.all(clients().map(async (client) => client.pubsub('NUMSUB', channel)));
          return counts.some(([, count]) => Number(count) > 0);
        },
        { what: 'the channel is heard' },
      );
    },
  };
}
