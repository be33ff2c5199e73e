import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Whether processes are kept on cores of their own: it takes two of them, and taskset (Linux). */
export const pinned =
  availableParallelism() >= 2 && spawnSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' }).status === 0;

/** Where what is measured runs, and where all else does. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/**
 * A command that stays on one core, where that can be said.
 *
 * @param {number | undefined} core undefined: on any
 * @returns {[command: string, args: string[]]}
 */
export function onCore(core, command, args) {
  return pinned && core !== undefined ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}
