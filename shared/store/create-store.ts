import type { Logger } from '../process/log.ts';
import type { Settings } from '../settings/table.ts';
import { type Memory, MemoryStore } from './memory/memory-store.ts';
import type { RedisAddress } from './redis/redis-client.ts';
import { RedisLink } from './redis/redis-link.ts';
import { RedisStore } from './redis/redis-store.ts';
import type { TicketStore } from './store.ts';

/** Where Redis is, or undefined if the settings do not say so. */
function redisAddress(settings: Settings): RedisAddress | undefined {
  const { redisUrl: url, redisSentinels, redisSentinelName, redisClusterNodes } = settings;
  const access = { url, ca: settings.redisCaFile?.content };
  if (redisClusterNodes !== undefined) return { ...access, kind: 'cluster', nodes: redisClusterNodes };
  if (redisSentinels !== undefined && redisSentinelName !== undefined) {
    const { redisSentinelTls: tls, redisSentinelUsername: username, redisSentinelPassword: password } = settings;
    const sentinelAccess = { tls, username, password };
    return { ...access, kind: 'sentinel', sentinels: redisSentinels, name: redisSentinelName, sentinelAccess };
  }
  return url === undefined ? undefined : { ...access, kind: 'single', url };
}

/** Whether the settings say where Redis is. */
export function usesRedis(settings: Settings): boolean {
  return redisAddress(settings) !== undefined;
}

/** A store on Redis if the settings say where it is; else one in memory, which may be shared. */
export function createStore(settings: Settings, log: Logger, memory?: Memory): TicketStore {
  const options = {
    retentionMs: settings.ticketRetentionSeconds * 1000,
    leaseMs: settings.leaseSeconds * 1000,
    historyPerSubject: settings.historyPerSubject,
  };
  const address = redisAddress(settings);
  if (address === undefined) return new MemoryStore({ ...options, ...(memory && { memory }) });
  const link = new RedisLink({
    address,
    timeoutMs: settings.redisTimeoutMs,
    onChange: (available, reason) => {
      if (available) log.info({ event: 'store_available' }, reason);
      else log.error({ event: 'store_unavailable', code: 'store_unavailable' }, reason);
    },
    onError: (message) => log.error({ event: 'store_error', code: 'store_unavailable' }, message),
  });
  return new RedisStore({ ...options, link, keyPrefix: settings.redisKeyPrefix });
}
