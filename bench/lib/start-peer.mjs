import { join } from 'node:path';
import { bench } from './paths.mjs';
import { startServer } from './servers.mjs';

/**
 * Starts a small program of peers/ that prints `ready <port>` once it listens.
 *
 * @param {string} name `ws` for peers/ws.mjs
 * @param {object} [options]
 * @param {string[]} [options.args]
 * @param {Record<string, string>} [options.env]
 * @param {number} [options.core]
 */
export function startPeer(name, { args = [], ...options } = {}) {
  return startServer({ command: process.execPath, args: [join(bench, 'peers', `${name}.mjs`), ...args], ...options });
}
