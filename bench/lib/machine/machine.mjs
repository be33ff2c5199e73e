import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { root } from '../paths.mjs';
import { pinned } from './pin.mjs';

/** Describes the machine of the run. */
export function describeMachine() {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    pinned,
  };
}

/** The commit measured, with a `+` if the work tree differs from it. */
export function describeCommit() {
  const commit = git('rev-parse', '--short', 'HEAD');
  if (commit === '') return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}+`;
}

function git(...args) {
  return spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
}
