import type { Logger } from '../process/log.ts';
import type { Settings } from '../settings/table.ts';
import { createStore, usesRedis } from './create-store.ts';
import { Memory } from './memory/memory-store.ts';
import type { TicketStore } from './store.ts';

interface Shared {
  readonly memory: Memory;
  readonly users: Set<TicketStore>;
}

/** The memories of this process, by key prefix. */
const memories = new Map<string, Shared>();

/**
 * The store of an application that embeds Oncegate. Without Redis all stores of the process that have the same key
 * prefix share one memory: so its gate finds the tickets of its router. The memory goes when the last of them ends.
 */
export function createEmbeddedStore(settings: Settings, log: Logger): TicketStore {
  if (usesRedis(settings)) return createStore(settings, log);
  log.warn({ event: 'memory_store' }, 'no REDIS_URL: the tickets are in memory, where no other process finds them');
  const { redisKeyPrefix: prefix } = settings;
  const shared = memories.get(prefix) ?? { memory: new Memory(), users: new Set() };
  memories.set(prefix, shared);
  const store = createStore(settings, log, shared.memory);
  shared.users.add(store);
  const end = store.end.bind(store);
  store.end = async () => {
    await end();
    shared.users.delete(store);
    if (shared.users.size === 0 && memories.get(prefix) === shared) memories.delete(prefix);
  };
  return store;
}
