import { statSync } from 'node:fs';
import { join } from 'node:path';
import { must, root, say } from './run.mjs';

/** Installs the packages of the lock file, unless that was done since the file last changed. */
export function ensureInstalled() {
  // npm writes this file last, so an incomplete installation is repeated.
  if (changedAt('node_modules/.package-lock.json') >= changedAt('package-lock.json')) return;
  say('installing packages from the lock file');
  must('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
}

function changedAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
