import { spawnSync } from 'node:child_process';

/** A program that some tests need and a machine may lack. */
export type OptionalProgram =
  | 'redis'
  | 'nginx'
  | 'caddy'
  | 'haproxy'
  | 'curl'
  | 'openssl'
  | 'chromium'
  | 'firefox'
  | 'docker-compose'
  | 'python3-websockets'
  | 'java'
  | 'cc';

/** Whether this machine lacks a program, as `ONCEGATE_MISSING` lists it. */
export function isMissing(program: OptionalProgram): boolean {
  return (process.env.ONCEGATE_MISSING ?? '').split(',').includes(program);
}

/** The path of the first of these programs that is installed. */
export function executableOf(...names: readonly string[]): string {
  for (const name of names) {
    const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  throw new Error(`none of ${names.join(', ')} is installed`);
}
