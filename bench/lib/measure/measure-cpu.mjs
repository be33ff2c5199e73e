import { weighLoad } from '../load/load-limit.mjs';
import { startMeter } from '../machine/cpu.mjs';
import { sleep } from '../processes/wait.mjs';

/** Time for what follows the last answer: records to close, log lines to write. */
const SETTLE_MS = 60;

/**
 * What the servers, Redis and the load generator used for each operation in one round.
 *
 * @typedef {object} Sample
 * @property {number} value in the experiment's unit; here µs of the servers' CPU for each operation
 * @property {number} [redis] µs of Redis's CPU for each operation
 * @property {number} [load] µs of the load generator's CPU for each operation
 * @property {number} [loadShare] the load generator's CPU as a share of the servers'
 * @property {boolean} [limitedByLoad] the load generator used more than the servers, or its core was full
 */

/**
 * Measures the servers while the work is done. Throws if any of the work failed.
 *
 * @param {object} options
 * @param {readonly number[]} options.pids the processes that count, with their children
 * @param {number} [options.redisPid] if the servers use Redis
 * @param {readonly number[]} [options.besides] back ends on the load generator's core, which do not count
 * @param {() => Promise<import('../load/load.mjs').LoadReport>} options.work
 * @returns {Promise<Sample & { report: import('../load/load.mjs').LoadReport }>}
 */
export async function measureCpu({ pids, redisPid, besides = [], work }) {
  await sleep(SETTLE_MS);
  const servers = startMeter(pids);
  const redis = startMeter(redisPid === undefined ? [] : [redisPid]);
  const backEnds = startMeter(besides);
  const report = await work();
  await sleep(SETTLE_MS);
  const nanoseconds = servers();
  const redisNanoseconds = redis();

  const { operations, failures, failure, cpuNanoseconds, wallNanoseconds } = report;
  if (failures > 0) throw new Error(`${failures} of ${failures + operations} went wrong: ${failure}`);
  return {
    value: nanoseconds / operations / 1000,
    ...(redisPid !== undefined && { redis: redisNanoseconds / operations / 1000 }),
    load: cpuNanoseconds / operations / 1000,
    ...weighLoad({
      load: cpuNanoseconds,
      servers: nanoseconds,
      neighbours: redisNanoseconds + backEnds(),
      wall: wallNanoseconds,
    }),
    report,
  };
}
