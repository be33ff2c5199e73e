import { join } from 'node:path';
import { root } from '../paths.mjs';
import { freePort } from './free-port.mjs';
import { startServer } from './server.mjs';

/**
 * Starts a gateway from dist/ with its default settings, except those in `env`.
 *
 * @param {{ redisUrl: string, env?: Record<string, string>, core?: number }} options
 * @returns {Promise<import('./server.mjs').Server & { adminPort: number }>}
 */
export function startGateway(options) {
  return startService('gateway', options);
}

/** Starts a ticket service from dist/, likewise. */
export function startTicketService(options) {
  return startService('ticket', options);
}

async function startService(name, { redisUrl, env = {}, ...options }) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const prefix = name.toUpperCase();
  const server = await startServer({
    command: process.execPath,
    args: [join(root, 'dist', 'services', name, 'main.js')],
    env: {
      [`${prefix}_PORT`]: String(port),
      [`${prefix}_ADMIN_PORT`]: String(adminPort),
      REDIS_URL: redisUrl,
      LOG_LEVEL: 'info',
      // A pause of a busy machine must not turn into refusals.
      REDIS_TIMEOUT_MS: '5000',
      OVERLOAD_DELAY_MS: '0',
      // All load comes from one address and few subjects: no limit may end a round.
      MAX_CONNECTIONS_PER_SUBJECT: '0',
      MAX_FAILED_HANDSHAKES_PER_MINUTE: '0',
      MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '0',
      ...env,
    },
    port,
    ready: async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok,
    ...options,
  });
  return { ...server, adminPort };
}
