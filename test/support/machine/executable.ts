import { spawnSync } from 'node:child_process';

/** The path of the first of these programs that is installed. */
export function executableOf(...names: readonly string[]): string {
  for (const name of names) {
    const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  throw new Error(`none of ${names.join(', ')} is installed`);
}
