import { join } from 'node:path';
import { freePort } from './free-port.mjs';
import { root } from './paths.mjs';
import { startServer } from './servers.mjs';

/**
 * Starts a gateway of dist/ with its defaults; `env` says what has to differ.
 *
 * @param {{ redisUrl: string, env?: Record<string, string>, core?: number }} options
 * @returns {Promise<import('./servers.mjs').Server & { adminPort: number }>}
 */
export function startGateway(options) {
  return startService('gateway', options);
}

/** Starts a ticket service of dist/ with its defaults, likewise. */
export function startTicketService(options) {
  return startService('ticket', options);
}

async function startService(name, { redisUrl, env = {}, ...where }) {
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
      // A machine that does something else for a moment is not what is measured.
      REDIS_TIMEOUT_MS: '5000',
      ...env,
    },
    port,
    ready: async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok,
    ...where,
  });
  return { ...server, adminPort };
}
