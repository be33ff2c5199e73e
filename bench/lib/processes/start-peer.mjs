import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installPeerPackages } from './install.mjs';
import { bench } from './paths.mjs';
import { startServer } from './servers.mjs';

/**
 * Starts a small program of peers/ that prints `ready <port>` once it listens. Those in peers/npm/ need packages that
 * the project itself has no use for; these are installed into that folder when the first of them starts, so that the
 * others go on with the project's own `ws`.
 *
 * @param {string} name `ws` for peers/ws.mjs
 * @param {object} [options]
 * @param {string[]} [options.args]
 * @param {Record<string, string>} [options.env]
 * @param {number} [options.core]
 */
export async function startPeer(name, { args = [], ...options } = {}) {
  const own = join(bench, 'peers', `${name}.mjs`);
  const withPackages = join(bench, 'peers', 'npm', `${name}.mjs`);
  const program = existsSync(own) ? own : withPackages;
  if (program === withPackages) installPeerPackages();
  return startServer({ command: process.execPath, args: [program, ...args], ...options });
}
