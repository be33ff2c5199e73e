import { availableParallelism } from 'node:os';
import { prepareLoad } from '../lib/load/load.mjs';
import { weighLoad } from '../lib/load/load-limit.mjs';
import { startMeter } from '../lib/machine/cpu.mjs';
import { takeTurns } from '../lib/measure/rounds.mjs';
import { median } from '../lib/measure/statistics.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';
import { startRedis } from '../lib/processes/redis.mjs';
import { ticketIssuer } from '../lib/tickets/tickets.mjs';
import { presented } from '../series/oncegate.mjs';

export const name = 'scaling';
export const title = 'Admitted handshakes over several gateways';

const GATEWAYS = [1, 2, 3];
const OPENINGS = 6_000;

/**
 * Every process runs on any core. With the load generator and Redis pinned to one core, a second gateway shares it with
 * them and delays them, and the gateway on the other core waits: a fifth of that core stays idle.
 */
export async function run({ rounds, quick, inFlight, say }) {
  const redis = await startRedis({ anyCore: true });
  const tickets = await ticketIssuer(redis.url);
  const openings = quick ? OPENINGS / 20 : OPENINGS;
  const seen = new Map(GATEWAYS.map((count) => [idOf(count), { cpuMicroseconds: [], shares: [] }]));

  const variants = GATEWAYS.map((count) => ({
    id: idOf(count),
    label: count === 1 ? 'one gateway' : `${count} gateways`,
    async start() {
      const gateways = [];
      for (let i = 0; i < count; i += 1) gateways.push(await startGateway({ redisUrl: redis.url, core: undefined }));
      return {
        async sample(round) {
          await redis.empty();
          const { cpuMicroseconds, coresFull, ...sample } = await openOverAll(gateways);
          if (round >= 0) {
            seen.get(idOf(count)).cpuMicroseconds.push(cpuMicroseconds);
            seen.get(idOf(count)).shares.push(coresFull);
          }
          return sample;
        },
        async stop() {
          for (const gateway of gateways) await gateway.stop();
        },
      };
    },
  }));

  async function openOverAll(gateways) {
    const issued = await tickets.issue(openings);
    const work = prepareLoad(
      issued.map((ticket) => ({ request: presented(ticket), status: 101, frames: 1 })),
      { port: gateways.map(({ port }) => port), connections: inFlight * gateways.length, anyCore: true },
    );
    const cpu = startMeter(gateways.map(({ pid }) => pid));
    const redisCpu = startMeter([redis.pid]);
    const { failures, failure, operations, wallNanoseconds: wall, cpuNanoseconds: load } = await work();
    const [servers, store] = [cpu(), redisCpu()];
    if (failures > 0) throw new Error(`${failures} handshakes went wrong: ${failure}`);
    return {
      value: (operations / wall) * 1e9,
      ...weighLoad({ load, servers, neighbours: 0, wall }),
      cpuMicroseconds: servers / operations / 1000,
      coresFull: (servers + store + load) / wall / availableParallelism(),
    };
  }

  const { series, skipped } = await takeTurns(variants, { rounds, say, warmUps: quick ? 1 : 3 });
  await tickets.end();
  await redis.stop();
  const axis = { label: 'gateways', scale: 'linear' };
  const placed = series.map((one, index) => {
    return { ...one, x: GATEWAYS[index], coresFull: median(seen.get(one.id).shares) };
  });
  const common = { baseline: idOf(1), rounds, inFlight, operationsPerRound: openings, skipped };
  return [
    { name, title, unit: 'handshakes/s', axis: { ...axis, ideal: 'proportional' }, ...common, series: placed },
    {
      name: 'scaling-cost',
      title: 'What each of them costs',
      unit: "µs of the gateways' CPU per handshake",
      axis,
      ...common,
      series: placed.map((one) => ({ ...one, samples: seen.get(one.id).cpuMicroseconds })),
    },
  ];
}

function idOf(count) {
  return `gateways-${count}`;
}
