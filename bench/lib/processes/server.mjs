import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { onCore, SERVER_CORE } from '../machine/pin.mjs';
import { atEnd, temporaryFolder } from './cleanup.mjs';
import { until } from './wait.mjs';

/**
 * A process that the bench started.
 *
 * @typedef {object} Server
 * @property {number} pid
 * @property {number} port
 * @property {string} folder its own temporary folder, removed when it stops
 * @property {() => Promise<void>} stop sends SIGTERM, and SIGKILL after 3 s
 */

/**
 * Starts a server on a core of its own and waits until it is ready. Its output goes to a file, as in production: the
 * writing counts, and no process has to read it.
 *
 * @param {object} options
 * @param {string} options.command
 * @param {string[]} [options.args]
 * @param {Record<string, string>} [options.env] its whole environment, except PATH
 * @param {string} [options.cwd] by default its own folder
 * @param {ReturnType<typeof temporaryFolder>} [options.folder] its own folder, if files had to be written there first
 * @param {number | undefined} [options.core] by default the servers' core; undefined: any core
 * @param {number} [options.port] the port it will listen on, if known; otherwise it prints a line `ready <port>`
 * @param {(port: number) => unknown} [options.ready] whether it is ready; by default it is once it accepts a
 *   connection or has printed that line
 * @returns {Promise<Server>}
 */
export async function startServer({ command, args = [], env = {}, cwd, port, ready, ...options }) {
  const { folder = temporaryFolder() } = options;
  const core = 'core' in options ? options.core : SERVER_CORE;
  const output = join(folder.path, 'output.log');
  const descriptor = openSync(output, 'w');
  const [program, programArgs] = onCore(core, command, args);
  const child = spawn(program, programArgs, {
    cwd: cwd ?? folder.path,
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
    await folder.remove();
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
    return { pid: child.pid, port: listening, folder: folder.path, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
