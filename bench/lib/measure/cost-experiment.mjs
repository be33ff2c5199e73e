import { prepareLoad } from '../load/load.mjs';
import { measureContest, stopContest } from './contest.mjs';
import { takeTurns } from './rounds.mjs';

/**
 * One of the ways that an experiment compares, driven exchange by exchange by the load generator.
 *
 * @typedef {object} Contender
 * @property {string} id
 * @property {string} label
 * @property {string} [note]
 * @property {number} [share] the share of a round's exchanges that it gets, for what would take minutes; 1 by default
 * @property {(context: Context) => Promise<import('./contest.mjs').Contest>} start
 *
 * @typedef {object} Context what all experiments of a run share
 * @property {number} rounds
 * @property {boolean} quick
 * @property {number} inFlight exchanges in flight at once
 * @property {Awaited<ReturnType<typeof import('../processes/redis.mjs').startRedis>>} redis
 * @property {Awaited<ReturnType<typeof import('../tickets/tickets.mjs').ticketIssuer>>} tickets
 * @property {(id: string) => boolean} wanted whether a series was asked for on the command line
 * @property {(text: string) => void} say
 */

/** Rounds before the first that counts: just-in-time compilers take some thousands of handshakes. */
export const WARM_UPS = 3;

/**
 * Runs an experiment about the CPU of each operation: the contenders take turns at the same number of exchanges.
 *
 * @param {object} experiment
 * @param {string} experiment.name
 * @param {string} experiment.title
 * @param {readonly Contender[]} experiment.contenders the baseline first
 * @param {number} experiment.count exchanges per round
 * @param {boolean} [experiment.keepAlive]
 * @param {Context} context
 */
export async function compareCost({ name, title, contenders, count, ...load }, context) {
  const { redis, rounds, quick, inFlight, say, wanted } = context;
  const variantOf = ({ id, label, note, start, share = 1 }) => {
    const perRound = Math.ceil(quick ? (count / 20) * share : count * share);
    const notes = [note, share < 1 && `${perRound.toLocaleString('en-US')} in a round`].filter(Boolean);
    return { id, label, note: notes.join('; ') || undefined, start: () => startContest(start, perRound) };
  };

  async function startContest(start, perRound) {
    const contest = await start(context);
    return {
      async sample(round) {
        await redis.empty();
        const exchanges = await contest.exchanges(perRound, round);
        const work = prepareLoad(exchanges, { port: contest.port, connections: inFlight, ...load });
        const before = await contest.counted?.();
        const sample = await measureContest(contest, { redis, work });
        const done = before === undefined ? perRound : (await contest.counted()) - before;
        if (done !== perRound) throw new Error(`the server did ${done} of ${perRound}`);
        return sample;
      },
      stop: () => stopContest(contest),
    };
  }

  const [baseline] = contenders;
  const chosen = contenders.filter(({ id }) => id === baseline.id || wanted(id)).map(variantOf);
  const { series, skipped } = await takeTurns(chosen, { rounds, say, warmUps: quick ? 1 : WARM_UPS });
  return {
    name,
    title,
    unit: 'µs of CPU per operation',
    baseline: baseline.id,
    rounds,
    inFlight,
    operationsPerRound: quick ? Math.ceil(count / 20) : count,
    series,
    skipped,
  };
}
