import { prepareLoad } from '../lib/load/load.mjs';
import { consumeLatency } from '../lib/measure/consume-latency.mjs';
import { measureContest, stopContest } from '../lib/measure/contest.mjs';
import { takeTurns } from '../lib/measure/rounds.mjs';
import * as oncegate from '../series/oncegate.mjs';
import * as ws from '../series/ws.mjs';

export const name = 'latency';
export const title = 'How long it takes at 500 a second: the consume step, and the whole handshake';

const RATE = 500;
const COUNT = 1_500;
/** As many as `open` runs before its first round. */
const WARM_UP = 9_000;
/** Enough that at this rate no handshake waits for a free connection. */
const CONNECTIONS = 256;
const UNIT = 'µs from the moment it was due';
const HANDSHAKE = 'A handshake, from connecting to the 101, at 500 a second';
const CONSUME = 'The consume step, and a Redis PING through the same client, each at 500 a second';

export async function run(context) {
  return [await consumeStep(context), await handshake(context)];
}

async function consumeStep({ redis, tickets, rounds, quick, say }) {
  const count = quick ? 50 : COUNT;
  const variant = {
    id: 'consume',
    label: 'the consume step',
    start: async () => ({
      async sample() {
        await redis.empty();
        const issued = await tickets.issue(quick ? 2 * count : WARM_UP + count);
        return consumeLatency({ redisUrl: redis.url, tickets: issued, count, rate: RATE });
      },
    }),
  };
  const { series: done, samples, skipped } = await takeTurns([variant], { rounds, say });
  const of = (kind, share) => samples.get('consume').map((sample) => sample[kind][share]);
  const series = done.flatMap((one) => [
    { ...one, id: 'ping-p50', label: 'a Redis PING, median', samples: of('ping', 'p50') },
    { ...one, id: 'ping-p99', label: 'a Redis PING, 99th percentile', samples: of('ping', 'p99') },
    { ...one, id: 'consume-p50', label: 'consume, median', samples: of('consume', 'p50') },
    { ...one, id: 'consume-p99', label: 'consume, 99th percentile', samples: of('consume', 'p99') },
  ]);
  return { name: 'latency-consume', title: CONSUME, unit: 'µs', baseline: 'ping-p99', rounds, series, skipped };
}

async function handshake(context) {
  const { redis, rounds, quick, say, wanted } = context;
  const count = quick ? 50 : COUNT;
  const contenders = [...ws.open, ...oncegate.open].filter(({ id }) => id === 'ws' || wanted(id));
  const variants = contenders.map(({ id, label, start }) => ({
    id,
    label,
    async start() {
      const contest = await start(context);
      return {
        async sample(round) {
          await redis.empty();
          const options = { port: contest.port, rate: RATE, connections: CONNECTIONS };
          const work = prepareLoad(await contest.exchanges(count, round), options);
          const { report, loadShare, limitedByLoad } = await measureContest(contest, { redis, work });
          return { ...report.latencyMicroseconds, loadShare, limitedByLoad };
        },
        stop: () => stopContest(contest),
      };
    },
  }));
  const { series: done, samples, skipped } = await takeTurns(variants, { rounds, say });
  const of = (id, share) => samples.get(id).map((sample) => sample[share]);
  const series = done.flatMap((one) => [
    { ...one, id: `${one.id}-p50`, label: `${one.label}, median`, samples: of(one.id, 'p50') },
    { ...one, id: `${one.id}-p99`, label: `${one.label}, 99th percentile`, samples: of(one.id, 'p99') },
  ]);
  return { name: 'latency-handshake', title: HANDSHAKE, unit: UNIT, baseline: 'ws-p50', rounds, series, skipped };
}
