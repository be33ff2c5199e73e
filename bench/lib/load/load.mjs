import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { LOAD_CORE, onCore } from '../machine/pin.mjs';
import { atEnd, temporaryFolder } from '../processes/cleanup.mjs';
import { compile } from '../processes/compile.mjs';
import { writeExchanges } from './exchanges.mjs';

/**
 * What a load generator reports.
 *
 * @typedef {object} LoadReport
 * @property {number} operations the exchanges that succeeded
 * @property {number} failures
 * @property {string} failure the first failure, in words
 * @property {Record<string, number>} statuses
 * @property {number} wallNanoseconds
 * @property {number} cpuNanoseconds CPU of the load generator itself
 * @property {{ p50: number, p90: number, p99: number, max: number }} latencyMicroseconds
 */

/**
 * Writes the exchanges to a file, so that the load generator starts at once when its turn comes.
 *
 * @param {readonly import('./exchanges.mjs').Exchange[]} exchanges
 * @param {object} options
 * @param {number | readonly number[]} options.port several servers share the connections evenly; a faster one gets
 *   more of the exchanges
 * @param {number} [options.connections] over all servers
 * @param {number} [options.rate] exchanges per second; by default as fast as possible
 * @param {boolean} [options.keepAlive]
 * @param {boolean} [options.anyCore] whether it may run on any core instead of its own
 * @returns {() => Promise<LoadReport>} a function that runs the load, once
 */
export function prepareLoad(exchanges, { port, connections = 32, rate, keepAlive = false, anyCore = false }) {
  const folder = temporaryFolder();
  const file = join(folder.path, 'exchanges');
  writeExchanges(file, exchanges);
  const args = ['--port', String(port), '--exchanges', file, '--connections', String(connections)];
  if (rate !== undefined) args.push('--rate', String(rate));
  if (keepAlive) args.push('--keep-alive');
  return async () => {
    try {
      return await runLoad(args, anyCore ? undefined : LOAD_CORE);
    } finally {
      await folder.remove();
    }
  };
}

/**
 * Runs load/load.c and parses the line of JSON that it prints.
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
