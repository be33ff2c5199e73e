import { FULL_CORE } from '../machine/full-core.mjs';
import { pinned } from '../machine/pin.mjs';

/**
 * Compares the load generator's CPU with that of the servers. All times are in nanoseconds.
 *
 * @param {object} used
 * @param {number} used.load CPU of the load generator
 * @param {number} used.servers CPU of the servers
 * @param {number} used.neighbours CPU of Redis and a back end on the load generator's core
 * @param {number} used.wall duration of the sample
 * @returns {{ loadShare: number, limitedByLoad: boolean }} its CPU as a share of the servers', and whether it set the
 *   pace: it used more CPU than they did, or its core was full
 */
export function weighLoad({ load, servers, neighbours, wall }) {
  // Without pinning, neighbours may run on any core and need not slow it down.
  const onItsCore = pinned ? load + neighbours : load;
  return { loadShare: load / servers, limitedByLoad: load > servers || onItsCore > FULL_CORE * wall };
}
