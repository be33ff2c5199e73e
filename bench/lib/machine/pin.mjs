import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Whether processes are pinned to cores: that takes two cores and taskset (Linux). */
export const pinned =
  availableParallelism() >= 2 && spawnSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' }).status === 0;

/** The core of what is measured, and the core of everything else. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/**
 * Makes a command run on one core, where processes can be pinned.
 *
 * @param {number | undefined} core undefined: any core
 * @returns {[command: string, args: string[]]}
 */
export function onCore(core, command, args) {
  return pinned && core !== undefined ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}
