import { openConnections } from '../lib/load/connections.mjs';
import { prepareLoad } from '../lib/load/load.mjs';
import { measureCpu } from '../lib/measure/measure-cpu.mjs';
import { takeTurns } from '../lib/measure/rounds.mjs';
import { built } from '../lib/paths.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';
import { startRedis } from '../lib/processes/redis.mjs';
import { fillTickets } from '../lib/tickets/fill-tickets.mjs';
import { ticketIssuer } from '../lib/tickets/tickets.mjs';
import { presented } from '../series/oncegate.mjs';

export const name = 'growth';
export const title = 'An admitted handshake as more is stored';

/** Tickets issued for a sample are live too, so the smallest level has as many. */
const AT_ONCE = 1_000;
const SAMPLES_OF = 4;
const CROWD = 'crowd';

/** Each level has a Redis and a gateway of its own, so that the levels can take turns. */
export async function run(context) {
  const levels = context.quick ? [1_000, 10_000] : [1_000, 10_000, 100_000, 1_000_000];
  // The cap is 10,000 at most, and the measured connections need some room below it.
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
      // Leases and heartbeats of the open connections would count as part of the handshakes.
      env: { MAX_CONNECTIONS_PER_SUBJECT: '10000', LEASE_SECONDS: '1800', HEARTBEAT_SECONDS: '1800' },
      async prepare({ tickets, gateway }, level) {
        const requests = (await tickets.issue(level, { subject: CROWD })).map(presented);
        return openConnections({ port: gateway.port, requests, connections: level, greetings: 1 });
      },
    }),
  ];
}

async function compare({ rounds, quick, inFlight, say }, { id, title: about, axis, levels, env, subject, prepare }) {
  const { createKeys } = await built('shared/store/keys.js');
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

  /** Deletes the records of the used tickets, so that the level stays the same. */
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

/** The mean of several samples, with Redis's CPU as part of the value. */
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
