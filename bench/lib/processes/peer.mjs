import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bench } from '../paths.mjs';
import { installPeerPackages } from './install.mjs';
import { startServer } from './server.mjs';

/**
 * Starts a program of peers/, which prints `ready <port>` once it listens. Those in peers/npm/ need packages that the
 * project does not have. They are installed there when the first of these peers starts; all others use the project's
 * own `ws`.
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
