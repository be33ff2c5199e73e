import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bench } from '../paths.mjs';

const sources = join(bench, 'load');
const built = join(bench, '.build');

/**
 * Compiles a program of load/ with the system's compiler, unless it is newer than its sources.
 *
 * @param {string} name `load` for load/load.c
 * @returns {string} the path of the program
 */
export function compile(name) {
  const program = join(built, name);
  const files = readdirSync(sources).filter((file) => file === `${name}.c` || file.endsWith('.h'));
  const changedAt = Math.max(...files.map((file) => statSync(join(sources, file)).mtimeMs));
  if ((statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= changedAt) return program;
  mkdirSync(built, { recursive: true });
  const args = ['-O2', '-Wall', '-Wextra', '-pthread', '-o', program, join(sources, `${name}.c`)];
  const { status, stderr, error } = spawnSync('cc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the load generator cannot be compiled: ${error?.message ?? stderr}`);
  return program;
}
