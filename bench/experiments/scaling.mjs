import { startShareMeter } from '../lib/core-share.mjs';
import { startMeter } from '../lib/cpu.mjs';
import { prepareLoad } from '../lib/load.mjs';
import { startGateway } from '../lib/oncegate.mjs';
import { takeTurns } from '../lib/rounds.mjs';
import { median } from '../lib/statistics.mjs';
import { presented } from '../series/oncegate.mjs';

export const name = 'scaling';
export const title = 'Admitted handshakes over several gateways';

const GATEWAYS = [1, 2, 3];
const OPENINGS = 6_000;

/** The gateways run on any core; the load generators and Redis stay on theirs. */
export async function run({ redis, tickets, rounds, quick, say }) {
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
          const { operations, wallNanoseconds, cpuNanoseconds, share } = await openOverAll(gateways);
          if (round >= 0) {
            seen.get(idOf(count)).cpuMicroseconds.push(cpuNanoseconds / operations / 1000);
            seen.get(idOf(count)).shares.push(share);
          }
          return { value: (operations / wallNanoseconds) * 1e9 };
        },
        async stop() {
          for (const gateway of gateways) await gateway.stop();
        },
      };
    },
  }));

  async function openOverAll(gateways) {
    const requests = (await tickets.issue(openings)).map(presented);
    const loads = gateways.map(({ port }, which) => {
      const own = requests.filter((_, index) => index % gateways.length === which);
      return prepareLoad(
        own.map((request) => ({ request, status: 101, frames: 1 })),
        { port },
      );
    });
    const cpu = startMeter(gateways.map(({ pid }) => pid));
    const share = startShareMeter();
    const reports = await Promise.all(loads.map((load) => load()));
    const failed = reports.find(({ failures }) => failures > 0);
    if (failed !== undefined) throw new Error(`${failed.failures} handshakes went wrong: ${failed.failure}`);
    return {
      operations: requests.length,
      wallNanoseconds: Math.max(...reports.map(({ wallNanoseconds }) => wallNanoseconds)),
      cpuNanoseconds: cpu(),
      share: share(),
    };
  }

  const { series, skipped } = await takeTurns(variants, { rounds, say, warmUps: quick ? 1 : 3 });
  const axis = { label: 'gateways', scale: 'linear' };
  const placed = series.map((one, index) => {
    return { ...one, x: GATEWAYS[index], coresFull: median(seen.get(one.id).shares) };
  });
  const common = { baseline: idOf(1), rounds, operationsPerRound: openings, skipped };
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
