import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis, type RedisOptions } from 'ioredis';

/** Where Redis is: a single server, a Sentinel group or a Cluster. */
export type RedisAddress =
  | (Access & { readonly kind: 'single'; readonly url: string })
  | (Access & {
      readonly kind: 'sentinel';
      readonly sentinels: readonly HostPort[];
      readonly name: string;
      /** How to speak to the Sentinels themselves. The servers of the group may want something else. */
      readonly sentinelAccess?: SentinelAccess;
    })
  | (Access & { readonly kind: 'cluster'; readonly nodes: readonly HostPort[] });

/** How to speak to every Redis server: TLS, user and password are those of the URL. */
interface Access {
  readonly url?: string | undefined;
  /** PEM certificates of the authorities that vouch for the servers, and the Sentinels. Default: those of Node. */
  readonly ca?: string | undefined;
}

export interface SentinelAccess {
  readonly tls: boolean;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

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
  const access = accessOf(address);
  switch (address.kind) {
    case 'single':
      return new Redis({ ...options, ...access, ...placeOf(address.url) });
    case 'sentinel': {
      const { tls, username, password } = address.sentinelAccess ?? { tls: false };
      return new Redis({
        ...options,
        ...access,
        // Attack: without it ioredis drops `tls`, and sends the password to the primary in clear.
        enableTLSForSentinelMode: true,
        sentinels: [...address.sentinels],
        name: address.name,
        sentinelRetryStrategy: reconnectDelay,
        ...(tls && { sentinelTLS: tlsOf(address) }),
        ...(username !== undefined && { sentinelUsername: username }),
        ...(password !== undefined && { sentinelPassword: password }),
      });
    }
    case 'cluster': {
      const { enableOfflineQueue, retryStrategy, ...redisOptions } = options; // a Cluster has these one level up
      return new Cluster([...address.nodes], {
        enableOfflineQueue,
        clusterRetryStrategy: retryStrategy,
        redisOptions: { ...redisOptions, ...access },
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

/** Whether a URL of Redis asks for TLS. A scheme has no letter case (RFC 3986 §3.1). */
export function isRedisTls(url: string): boolean {
  return new URL(url).protocol === 'rediss:';
}

/** The URL is not given to ioredis, which takes `REDISS://` for an address without TLS. */
function accessOf(address: RedisAddress): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  if (address.url === undefined) return {};
  const { username, password } = new URL(address.url);
  return {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(isRedisTls(address.url) && { tls: tlsOf(address) }),
  };
}

function tlsOf({ ca }: Access): ConnectionOptions {
  return ca === undefined ? {} : { ca };
}

function placeOf(url: string): Pick<RedisOptions, 'host' | 'port' | 'db'> {
  const { hostname, port, pathname } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379), db: Number(pathname.slice(1)) };
}
