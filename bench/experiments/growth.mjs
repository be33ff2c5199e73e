import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openConnections } from '../lib/load/frames.mjs';
import { prepareLoad } from '../lib/load/load.mjs';
import { measureCpu } from '../lib/measure/measure.mjs';
import { takeTurns } from '../lib/measure/rounds.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';
import { root } from '../lib/processes/paths.mjs';
import { startRedis } from '../lib/processes/redis.mjs';
import { fillTickets } from '../lib/tickets/fill-tickets.mjs';
import { ticketIssuer } from '../lib/tickets/tickets.mjs';
import { presented } from '../series/oncegate.mjs';

export const name = 'growth';
export const title = 'An admitted handshake as more is stored';

/** What is issued for a sample is live too, so the smallest level is as many. */
const AT_ONCE = 1_000;
const SAMPLES_OF = 4;
const CROWD = 'crowd';

/** Each level has a Redis and a gateway of its own, so that the levels can take turns. */
export async function run(context) {
  const levels = context.quick ? [1_000, 10_000] : [1_000, 10_000, 100_000, 1_000_000];
  // A cap of 10,000 is the highest there is, and some room is needed for those that are measured.
  const crowds = context.quick ? [1, 1_000] : [1, 100, 1_000, 9_900];
  return [
    await compare(context, {
      id: 'tickets',
      title: 'An admitted handshake among live tickets',
      axis: 'live tickets',
      levels,
      prepare: ({ tickets }, level) => fillTickets(tickets.store, level - AT_ONCE),
    }),
    await compare(context, {
      id: 'connections',
      title: 'One more connection of a subject that has many (its cap: 10,000)',
      axis: 'open connections of one subject',
      levels: crowds,
      subject: CROWD,
      // Leases and heartbeats of those that are open would be counted as part of the handshakes.
      env: { MAX_CONNECTIONS_PER_SUBJECT: '10000', LEASE_SECONDS: '1800', HEARTBEAT_SECONDS: '1800' },
      async prepare({ tickets, gateway }, level) {
        const requests = (await tickets.issue(level, { subject: CROWD })).map(presented);
        return openConnections({ port: gateway.port, requests, connections: level, greetings: 1 });
      },
    }),
  ];
}

async function compare({ rounds, quick, inFlight, say }, { id, title: about, axis, levels, env, subject, prepare }) {
  const { createKeys } = await import(pathToFileURL(join(root, 'dist', 'shared', 'store', 'keys.js')).href);
  const keys = createKeys('oncegate:');

  const variants = levels.map((level) => ({
    id: `${id}-${level}`,
    label: `${level.toLocaleString('en-US')} ${axis}`,
    async start() {
      say(`${level} ${axis}`);
      const site = await startSite(env);
      const held = await prepare(site, level);
      return {
        sample: async () => average(await inTurn(quick ? 1 : SAMPLES_OF, () => sampleOnce(site))),
        async stop() {
          await held?.stop();
          await site.stop();
        },
      };
    },
  }));

  /** The records of those that were used are taken away again: the level stays what it is. */
  async function sampleOnce({ tickets, gateway, redis }) {
    const issued = await tickets.issue(AT_ONCE, { subject });
    const exchanges = issued.map((ticket) => ({ request: presented(ticket), status: 101, frames: 1 }));
    const work = prepareLoad(exchanges, { port: gateway.port, connections: inFlight });
    const sample = await measureCpu({ pids: [gateway.pid], redisPid: redis.pid, work });
    await redis.client.unlink(issued.map((ticket) => keys.ticket(ticket.id)));
    return sample;
  }

  const { series, skipped } = await takeTurns(variants, { rounds, say, warmUps: quick ? 1 : 2 });
  return {
    name: `growth-${id}`,
    title: about,
    unit: 'µs of CPU, gateway and Redis, per handshake',
    axis: { label: axis, scale: 'log' },
    baseline: `${id}-${levels[0]}`,
    rounds,
    inFlight,
    operationsPerRound: AT_ONCE * (quick ? 1 : SAMPLES_OF),
    series: series.map((one) => ({ ...one, x: Number(one.id.slice(id.length + 1)) })),
    skipped,
  };
}

async function startSite(env) {
  const redis = await startRedis();
  const tickets = await ticketIssuer(redis.url);
  const gateway = await startGateway({ redisUrl: redis.url, env });
  async function stop() {
    await gateway.stop();
    await tickets.end();
    await redis.stop();
  }
  return { redis, tickets, gateway, stop };
}

async function inTurn(count, task) {
  const results = [];
  for (let i = 0; i < count; i += 1) results.push(await task());
  return results;
}

/** Redis is part of what a ticket costs here. */
function average(samples) {
  const mean = (of) => samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  return {
    value: mean(({ value, redis }) => value + redis),
    redis: mean(({ redis }) => redis),
    load: mean(({ load }) => load),
    loadShare: mean(({ loadShare }) => loadShare),
    limitedByLoad: samples.some(({ limitedByLoad }) => limitedByLoad),
  };
}
