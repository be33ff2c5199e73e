import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOAD_CORE, onCore } from '../machine/pin.mjs';
import { atEnd } from '../processes/cleanup.mjs';
import { compile } from '../processes/compile.mjs';
import { writeExchanges } from './exchanges.mjs';

/**
 * What a load generator printed.
 *
 * @typedef {object} LoadReport
 * @property {number} operations those that went well
 * @property {number} failures
 * @property {string} failure the first of them, in words
 * @property {Record<string, number>} statuses
 * @property {number} wallNanoseconds
 * @property {number} cpuNanoseconds its own
 * @property {{ p50: number, p90: number, p99: number, max: number }} latencyMicroseconds
 */

/**
 * Writes the exchanges to a file, so that the load generator can be started at once when its turn comes.
 *
 * @param {readonly import('./exchanges.mjs').Exchange[]} exchanges
 * @param {object} options
 * @param {number | readonly number[]} options.port of several servers each has its part of the connections, and the
 *   faster one gets more of the exchanges
 * @param {number} [options.connections] in all
 * @param {number} [options.rate] exchanges a second; as fast as it goes unless said otherwise
 * @param {boolean} [options.keepAlive]
 * @param {boolean} [options.anyCore] it has no core of its own
 * @returns {() => Promise<LoadReport>} runs it, once
 */
export function prepareLoad(exchanges, { port, connections = 32, rate, keepAlive = false, anyCore = false }) {
  const folder = mkdtempSync(join(tmpdir(), 'oncegate-load-'));
  const remove = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'exchanges');
  writeExchanges(file, exchanges);
  const args = ['--port', String(port), '--exchanges', file, '--connections', String(connections)];
  if (rate !== undefined) args.push('--rate', String(rate));
  if (keepAlive) args.push('--keep-alive');
  return async () => {
    try {
      return await runLoad(args, anyCore ? undefined : LOAD_CORE);
    } finally {
      await remove();
    }
  };
}

/**
 * Runs load/load.c and reads the line of JSON that it prints.
 *
 * @param {readonly string[]} args
 * @param {number | undefined} core
 * @returns {Promise<LoadReport>}
 */
function runLoad(args, core) {
  const [command, commandArgs] = onCore(core, compile('load'), args);
  return new Promise((resolve, reject) => {
    const child = execFile(command, commandArgs, { timeout: 240_000 }, (error, stdout, stderr) => {
      finished();
      if (error) return reject(new Error(`the load generator failed: ${stderr.trim() || error.message}`));
      resolve(JSON.parse(stdout));
    });
    const finished = atEnd(() => void child.kill());
  });
}
