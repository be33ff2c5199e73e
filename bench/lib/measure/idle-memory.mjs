import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openConnections } from '../load/connections.mjs';
import { readMemory } from '../machine/memory.mjs';
import { bench } from '../paths.mjs';
import { sleep } from '../processes/wait.mjs';

/** Connections opened and closed before the first reading, so that compiled code is not counted. */
const REHEARSAL = 500;
const COLLECTIONS = 2;

/** The environment of a Node server whose garbage {@link idleMemory} can collect. */
export const collectable = {
  NODE_OPTIONS: `--import=${pathToFileURL(join(bench, 'probes', 'collect-on-signal.mjs')).href}`,
};

/**
 * Measures a server's memory for each of many idle connections.
 *
 * @param {object} options
 * @param {import('../processes/server.mjs').Server} options.server newly started
 * @param {boolean} options.collects whether it was started with {@link collectable}
 * @param {number} options.connections
 * @param {number} [options.greetings]
 * @param {(count: number) => Promise<string[]>} options.requests
 * @param {number} options.settleMs pause before memory is read
 * @returns {Promise<{ pssKib: number, rssKib: number, uncollectedKib: number }>} for each connection;
 *   `uncollectedKib` is the proportional set size before garbage was collected
 */
export async function idleMemory({ server, collects, connections, greetings, requests, settleMs }) {
  const hold = async (count) =>
    openConnections({ port: server.port, requests: await requests(count), connections: count, greetings });

  await (await hold(REHEARSAL)).stop();
  const empty = await read();
  const open = await hold(connections);
  try {
    const full = await read();
    const held = await open.count();
    if (held !== connections) throw new Error(`only ${held} of ${connections} connections stayed open`);
    const perConnection = (field) => (full[field] - empty[field]) / connections;
    return {
      pssKib: perConnection('pssKib'),
      rssKib: perConnection('rssKib'),
      uncollectedKib: (full.uncollectedKib - empty.pssKib) / connections,
    };
  } finally {
    await open.stop();
  }

  async function read() {
    await sleep(settleMs);
    const { pssKib: uncollectedKib } = readMemory(server.pid);
    for (let i = 0; collects && i < COLLECTIONS; i += 1) {
      process.kill(server.pid, 'SIGUSR2');
      await sleep(settleMs / 2);
    }
    return { ...readMemory(server.pid), uncollectedKib };
  }
}
