import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openConnections } from '../load/frames.mjs';
import { readMemory } from '../machine/memory.mjs';
import { bench } from '../processes/paths.mjs';
import { sleep } from '../processes/wait.mjs';

/** Before the first reading a server has held and closed some connections, so that its own code is not counted. */
const REHEARSAL = 500;
const COLLECTIONS = 2;

/** Environment of a Node server that {@link idleMemory} can ask to collect its garbage. */
export const collectable = {
  NODE_OPTIONS: `--import=${pathToFileURL(join(bench, 'probes', 'collect-on-signal.mjs')).href}`,
};

/**
 * What a server holds for each of many open connections on which nothing happens.
 *
 * @param {object} options
 * @param {import('../processes/servers.mjs').Server} options.server started afresh
 * @param {boolean} options.collects whether it was started with {@link collectable}
 * @param {number} options.connections
 * @param {number} [options.greetings]
 * @param {(count: number) => Promise<string[]>} options.requests
 * @param {number} options.settleMs how long nothing is done before memory is read
 * @returns {Promise<{ pssKib: number, rssKib: number, uncollectedKib: number }>} for each connection; the last one
 *   is the proportional set size before any collection was asked for
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
