import { FULL_CORE } from '../machine/full-core.mjs';
import { pinned } from '../machine/pin.mjs';

/**
 * How much the load generator weighed beside the servers that it drove, all in nanoseconds.
 *
 * @param {object} used
 * @param {number} used.load its own CPU
 * @param {number} used.servers theirs
 * @param {number} used.neighbours what Redis and a back end used of the same core
 * @param {number} used.wall
 * @returns {{ loadShare: number, limitedByLoad: boolean }} its CPU as a share of the servers', and whether it set the
 *   pace and not they: it used more than they did, or its core was full
 */
export function weighLoad({ load, servers, neighbours, wall }) {
  // Neighbours that may run on any core take nothing away from it.
  const onItsCore = pinned ? load + neighbours : load;
  return { loadShare: load / servers, limitedByLoad: load > servers || onItsCore > FULL_CORE * wall };
}
