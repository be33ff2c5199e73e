import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onCore, SERVER_CORE } from '../machine/pin.mjs';
import { atEnd } from './cleanup.mjs';
import { until } from './wait.mjs';

/**
 * A process that the bench started.
 *
 * @typedef {object} Server
 * @property {number} pid
 * @property {number} port
 * @property {string} folder its own, removed when it stops
 * @property {() => Promise<void>} stop SIGTERM, and SIGKILL where that is not enough
 */

/**
 * Starts a server on a core of its own and waits until it is there. What it prints goes to a file, as it would in
 * production, so that the writing counts and nobody has to read along.
 *
 * @param {object} options
 * @param {string} options.command
 * @param {string[]} [options.args]
 * @param {Record<string, string>} [options.env] all of its environment, but for PATH
 * @param {string} [options.cwd] its own folder unless said otherwise
 * @param {string} [options.folder] made by {@link ownFolder}, where a configuration had to be written before
 * @param {number | undefined} [options.core]
 * @param {number} [options.port] where it will listen, if that is known; else it prints a line `ready <port>`
 * @param {(port: number) => unknown} [options.ready] whether it is there; by itself a connection that is accepted
 *   or the line that it printed
 * @returns {Promise<Server>}
 */
export async function startServer({ command, args = [], env = {}, cwd, folder = ownFolder(), port, ready, ...where }) {
  const core = 'core' in where ? where.core : SERVER_CORE;
  const output = join(folder, 'output.log');
  const descriptor = openSync(output, 'w');
  const [program, programArgs] = onCore(core, command, args);
  const child = spawn(program, programArgs, {
    cwd: cwd ?? folder,
    env: { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin`, ...env },
    stdio: ['ignore', descriptor, descriptor],
  });
  closeSync(descriptor);

  const printed = () => readFileSync(output, 'utf8');
  let ended;
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`ended with ${code ?? signal}`));
  }).then((how) => {
    ended = how;
  });
  const stop = atEnd(async () => {
    if (ended === undefined) child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(killer);
    rmSync(folder, { recursive: true, force: true });
  });

  const name = command.split('/').at(-1);
  const announced = () => Number(/^ready (\d+)$/m.exec(printed())?.[1] ?? 0);
  try {
    const listening = await until(
      async () => {
        if (ended !== undefined) return -1;
        const at = port ?? announced();
        return at > 0 && (ready === undefined ? port === undefined || (await accepts(at)) : await ready(at)) ? at : 0;
      },
      { what: `${name} is ready`, timeoutMs: 20_000 },
    );
    if (listening < 0) throw new Error(`${name} ${ended}: ${printed().trim().split('\n').slice(-3).join(' ')}`);
    return { pid: child.pid, port: listening, folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A folder for the files of one server. */
export function ownFolder() {
  return mkdtempSync(join(tmpdir(), 'oncegate-bench-'));
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
