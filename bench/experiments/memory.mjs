import { upgradeRequest } from '../lib/load/exchanges.mjs';
import { openFilesLimit } from '../lib/machine/memory.mjs';
import { collectable, idleMemory } from '../lib/measure/idle-memory.mjs';
import { takeTurns } from '../lib/measure/rounds.mjs';
import { median } from '../lib/measure/statistics.mjs';
import { startEcho } from '../lib/processes/echo.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';
import { startPeer } from '../lib/processes/peer.mjs';
import { presented } from '../series/oncegate.mjs';
import { relays } from '../series/relays.mjs';

export const name = 'memory';
export const title = 'Memory for each idle connection';

const CONNECTIONS = 10_000;
const QUICK_CONNECTIONS = 1_000;
const SETTLE_MS = 1_500;
const QUICK_SETTLE_MS = 200;
/** Files that a server has open besides its connections. */
const OTHER_FILES = 120;
const NODE_RELAYS = ['http-proxy', 'ws-relay', 'oncegate'];

const echoes = [
  {
    id: 'ws',
    label: 'bare ws echo',
    collects: true,
    start: () => startPeer('ws', { env: collectable }),
    requests: async () => [upgradeRequest('/')],
  },
  {
    id: 'oncegate',
    label: 'Oncegate, echo mode',
    collects: true,
    greetings: 1,
    start: ({ redis }) => startGateway({ redisUrl: redis.url, env: collectable }),
    requests: async ({ tickets }, count) => (await tickets.issue(count)).map(presented),
  },
];

const relaysHere = relays.map((relay) => ({ ...relay, collects: NODE_RELAYS.includes(relay.id) }));

/** Each server is started anew for every round: a heap that has grown does not shrink. */
export async function run({ quick, ...context }) {
  const most = quick ? QUICK_CONNECTIONS : CONNECTIONS;
  const common = { ...context, settleMs: quick ? QUICK_SETTLE_MS : SETTLE_MS };
  const limit = openFilesLimit() - OTHER_FILES;
  const echoExperiment = await compare(echoes, {
    ...common,
    name: 'memory-echo',
    mode: 'echo',
    connections: Math.min(most, limit),
    site: context,
  });

  const echo = await startEcho();
  const connections = Math.min(most, Math.floor(limit / 2));
  const site = { ...context, upstreamPort: echo.port, connections, env: collectable };
  try {
    return [
      echoExperiment,
      await compare(relaysHere, { ...common, name: 'memory-relay', mode: 'relay', connections, site }),
    ];
  } finally {
    await echo.stop();
  }
}

async function compare(candidates, { name, mode, connections, site, settleMs, rounds, wanted, say }) {
  const [baseline] = candidates;
  const chosen = candidates.filter(({ id }) => id === baseline.id || wanted(id));
  const uncollected = new Map(chosen.map(({ id }) => [id, []]));
  const variants = chosen.map(({ id, label, note, start, requests, ...how }) => ({
    id,
    label,
    note,
    start: async () => ({
      async sample() {
        const server = await start(site);
        try {
          const options = { ...how, server, connections, settleMs };
          const memory = await idleMemory({ ...options, requests: (count) => requests(site, count) });
          uncollected.get(id).push(memory.uncollectedKib);
          return { value: memory.pssKib };
        } finally {
          await server.stop();
        }
      },
    }),
  }));

  say(`${connections} connections, ${mode}`);
  const { series, skipped } = await takeTurns(variants, { rounds, say, warmUps: 0 });
  for (const one of series) {
    const { collects } = chosen.find(({ id }) => id === one.id);
    const before = `${median(uncollected.get(one.id)).toFixed(1)} before garbage collection`;
    if (collects) one.note = [before, ...(one.note === undefined ? [] : [one.note])].join('; ');
  }
  return {
    name,
    title: `${title}: ${mode}, ${connections.toLocaleString('en-US')} of them`,
    unit: 'KiB of memory (PSS) per connection',
    baseline: baseline.id,
    rounds,
    operationsPerRound: connections,
    series,
    skipped,
  };
}
