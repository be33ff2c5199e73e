import { Redis } from 'ioredis';
import { LOAD_CORE } from '../machine/pin.mjs';
import { atEnd } from './cleanup.mjs';
import { freePort } from './free-port.mjs';
import { startServer } from './server.mjs';

/**
 * Starts a Redis that writes nothing to disk, on the load generator's core.
 *
 * @param {{ anyCore?: boolean }} [options] `anyCore`: on any core
 * @returns {Promise<import('./server.mjs').Server & { url: string, client: Redis, version: string,
 *   empty: () => Promise<void> }>}
 */
export async function startRedis({ anyCore = false } = {}) {
  const port = await freePort();
  const server = await startServer({
    command: 'redis-server',
    args: ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'],
    port,
    core: anyCore ? undefined : LOAD_CORE,
  });
  const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: null });
  client.on('error', () => {});
  const disconnect = atEnd(() => client.disconnect());
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? 'unknown';
  return {
    ...server,
    url: `redis://127.0.0.1:${port}`,
    client,
    version,
    /** Deletes all keys; the scripts stay loaded. */
    empty: async () => void (await client.flushall('SYNC')),
    stop: async () => {
      await disconnect();
      await server.stop();
    },
  };
}
