import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { LOAD_CORE, onCore } from '../machine/pin.mjs';
import { atEnd, temporaryFolder } from '../processes/cleanup.mjs';
import { compile } from '../processes/compile.mjs';

const TIMEOUT_MS = 60_000;

/**
 * Opens connections and keeps them open, by load/frames.c.
 *
 * @param {object} options
 * @param {number} options.port
 * @param {readonly string[]} options.requests connection i sends request (i mod count)
 * @param {number} [options.connections]
 * @param {number} [options.bytes] bytes of a message
 * @param {number} [options.inFlight] messages in flight on each connection
 * @param {number} [options.greetings] messages that the server sends unasked after its 101
 */
export async function openConnections({ port, requests, connections = 1, bytes = 64, inFlight = 1, greetings = 0 }) {
  const folder = temporaryFolder();
  const file = join(folder.path, 'requests');
  writeFileSync(file, requests.join(''));
  const options = { connections, bytes, 'in-flight': inFlight, greetings, 'timeout-ms': TIMEOUT_MS };
  const args = [
    String(port),
    file,
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
  const [command, commandArgs] = onCore(LOAD_CORE, compile('frames'), args);
  const child = spawn(command, commandArgs, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {});
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text;
  });
  const exited = new Promise((resolve) => child.once('error', resolve).once('exit', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const stop = atEnd(async () => {
    child.stdin.end();
    const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(killer);
    await folder.remove();
  });

  async function answer() {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the load generator ended: ${complaint.trim()}`);
    return JSON.parse(value);
  }
  async function ask(line) {
    child.stdin.write(`${line}\n`);
    return answer();
  }

  const { open, failed } = await answer();
  if (open < connections) {
    await stop();
    throw new Error(`${open} of ${connections} connections opened, ${failed} were refused; ${complaint.trim()}`);
  }
  return {
    /**
     * Sends messages over all connections together, and waits for their echoes.
     *
     * @param {number} messages
     * @returns {Promise<import('./load.mjs').LoadReport>}
     */
    async send(messages) {
      const { missing, unequal, lost, ...used } = await ask(`go ${messages}`);
      const failure = `${missing} echoes are missing, ${unequal} were not what was sent, ${lost} connections were lost`;
      const failures = Math.max(missing, unequal, lost);
      return { operations: messages, failures, failure, ...used };
    },
    /** How many connections are open now. */
    async count() {
      return (await ask('status')).open;
    },
    stop,
  };
}
