import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Prints what is being done: long work without output looks like a hang. */
export function say(text) {
  process.stdout.write(`oncegate: ${text}\n`);
}

/**
 * Runs a command in the project's folder and shows its output.
 *
 * @returns whether it succeeded
 */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  return error === undefined && status === 0;
}

/** Runs a command; exits if it fails. */
export function must(command, args, options) {
  if (run(command, args, options)) return;
  process.stderr.write(`oncegate: failed: ${command} ${args.join(' ')}\n`);
  process.exit(1);
}

/** The path of a package's own executable. */
export function bin(name) {
  return join(root, 'node_modules', '.bin', name);
}
