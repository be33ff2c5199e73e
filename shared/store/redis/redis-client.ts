import type { Socket } from 'node:net';
import { Cluster, Redis, type RedisOptions } from 'ioredis';

/** Where Redis is: a single server, a Sentinel group or a Cluster. */
export type RedisAddress =
  | { readonly kind: 'single'; readonly url: string }
  | {
      readonly kind: 'sentinel';
      readonly sentinels: readonly HostPort[];
      readonly name: string;
      readonly url?: string | undefined;
    }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[]; readonly url?: string | undefined };

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export type RedisClient = Redis | Cluster;

const RECONNECT_MAX_MS = 500;
/** A connection that has been silent for this long is closed: a dead network sends no FIN. */
const SILENCE_MAX_MS = 5_000;

/** A client that queues nothing while Redis is down, and sends no command twice. */
export function createClient(address: RedisAddress): RedisClient {
  const options = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: reconnectDelay,
    connectTimeout: SILENCE_MAX_MS,
    // Includes the handshake of a new connection, which `connectTimeout` does not.
    socketTimeout: SILENCE_MAX_MS,
    // READONLY: this is no longer the primary. The command did not run, and is not sent again (1, not 2).
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 1 : false),
  } satisfies RedisOptions;
  switch (address.kind) {
    case 'single':
      return new Redis(address.url, options);
    case 'sentinel':
      return new Redis({
        ...options,
        ...credentialsOf(address.url),
        sentinels: [...address.sentinels],
        name: address.name,
        sentinelRetryStrategy: reconnectDelay,
      });
    case 'cluster': {
      const { enableOfflineQueue, retryStrategy, ...redisOptions } = options; // a Cluster has these one level up
      return new Cluster([...address.nodes], {
        enableOfflineQueue,
        clusterRetryStrategy: retryStrategy,
        redisOptions: { ...redisOptions, ...credentialsOf(address.url) },
      });
    }
    default:
      return address satisfies never;
  }
}

/** The connections to which commands are written now. */
export function streamsOf(client: RedisClient): Socket[] {
  const clients = client instanceof Redis ? [client] : client.nodes('master');
  return clients.map(({ stream }) => stream).filter((stream) => stream !== undefined);
}

function reconnectDelay(times: number): number {
  return Math.min(25 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS);
}

/** With Sentinel or Cluster, `REDIS_URL` sets only user, password and TLS. */
function credentialsOf(url: string | undefined): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  if (url === undefined) return {};
  const { protocol, username, password } = new URL(url);
  return {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  };
}
