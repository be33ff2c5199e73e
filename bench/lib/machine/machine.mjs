import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { root } from '../processes/paths.mjs';
import { pinned } from './pin.mjs';

/** What the run ran on. */
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

/** The commit that was measured; with a `+` where the work tree differs from it. */
export function describeCommit() {
  const commit = git('rev-parse', '--short', 'HEAD');
  if (commit === '') return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}+`;
}

function git(...args) {
  return spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
}
