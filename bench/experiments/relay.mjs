import { openConnections } from '../lib/load/connections.mjs';
import { measureCpu } from '../lib/measure/measure-cpu.mjs';
import { takeTurns } from '../lib/measure/rounds.mjs';
import { startEcho } from '../lib/processes/echo.mjs';
import { relays } from '../series/relays.mjs';

export const name = 'relay';
export const title = 'Messages through a relay and back';

const BASELINE = 'nginx';
const KIB = 1024;

/** The number of messages is such that a sample takes about a second. */
const shapes = [
  { id: '64-1', words: '64 B, one pair', bytes: 64, connections: 1, messages: 20_000 },
  { id: '64-100', words: '64 B, 100 pairs', bytes: 64, connections: 100, messages: 60_000 },
  { id: '16k-1', words: '16 KiB, one pair', bytes: 16 * KIB, connections: 1, messages: 10_000 },
  { id: '16k-100', words: '16 KiB, 100 pairs', bytes: 16 * KIB, connections: 100, messages: 20_000 },
  {
    id: 'in-flight',
    words: '64 B, one pair, 16 in flight',
    bytes: 64,
    connections: 1,
    inFlight: 16,
    messages: 100_000,
  },
];

/** One operation is a message to the back end and its echo; the back end is an echo in C. */
export async function run({ redis, tickets, rounds, quick, wanted, say }) {
  const echo = await startEcho();
  const chosen = relays.filter(({ id }) => id === BASELINE || wanted(id));
  const experiments = [];
  try {
    for (const shape of shapes) {
      say(shape.words);
      const site = { redis, tickets, upstreamPort: echo.port, connections: shape.connections };
      const variants = chosen.map((relay) => variantOf(relay, { site, shape, echo, quick }));
      experiments.push({
        name: `relay-${shape.id}`,
        title: `${title}: ${shape.words}`,
        unit: 'µs of CPU per message and echo',
        baseline: BASELINE,
        rounds,
        ...(await takeTurns(variants, { rounds, say })),
      });
    }
  } finally {
    await echo.stop();
  }
  return experiments;
}

function variantOf(relay, { site, shape: { bytes, connections, inFlight, messages }, echo, quick }) {
  const count = quick ? messages / 20 : messages;
  return {
    id: relay.id,
    label: relay.label,
    note: relay.note,
    async start() {
      const server = await relay.start(site);
      const requests = await relay.requests(site, connections);
      const open = await openConnections({ port: server.port, requests, connections, bytes, inFlight }).catch(
        async (error) => {
          await server.stop();
          throw error;
        },
      );
      return {
        sample: () => measureCpu({ pids: [server.pid], besides: [echo.pid], work: () => open.send(count) }),
        async stop() {
          await open.stop();
          await server.stop();
        },
      };
    },
  };
}
