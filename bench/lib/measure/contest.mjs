import { measureCpu } from './measure-cpu.mjs';

/**
 * The running processes of a contender.
 *
 * @typedef {object} Contest
 * @property {readonly { pid: number, stop: () => Promise<void> }[]} servers their CPU counts
 * @property {readonly { pid: number, stop: () => Promise<void> }[]} [others] back ends on the load generator's core;
 *   their CPU does not count
 * @property {number} port
 * @property {boolean} [usesRedis]
 * @property {(count: number, round: number) => Promise<import('../load/exchanges.mjs').Exchange[]>} exchanges
 * @property {() => Promise<number>} [counted] the servers' own count of operations done
 */

/**
 * Measures a contest's servers while the work is done.
 *
 * @param {Contest} contest
 * @param {{ redis: { pid: number }, work: () => Promise<import('../load/load.mjs').LoadReport> }} options
 */
export function measureContest({ servers, others = [], usesRedis }, { redis, work }) {
  return measureCpu({
    pids: servers.map(({ pid }) => pid),
    besides: others.map(({ pid }) => pid),
    work,
    ...(usesRedis && { redisPid: redis.pid }),
  });
}

/** @param {Contest} contest */
export async function stopContest({ servers, others = [] }) {
  for (const server of [...servers, ...others]) await server.stop();
}
