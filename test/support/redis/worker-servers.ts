import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMissing } from '../machine/programs.ts';
import { launchRedis, plainArguments } from './redis-process.ts';

/** A directory with the claims of the workers, and the ports of the servers: in the environment of all workers. */
const DIRECTORY = 'ONCEGATE_TEST_REDIS_CLAIMS';
const PORTS = 'ONCEGATE_TEST_REDIS_PORTS';

/** Before the tests: starts one Redis for each worker, once for all projects, and ends them all behind the tests. */
export default async function setup({ config }: { readonly config: { readonly maxWorkers?: number } }) {
  if (isMissing('redis') || process.env[PORTS] !== undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'oncegate-test-redis-'));
  const servers = await Promise.all(
    Array.from({ length: config.maxWorkers ?? 1 }, () => launchRedis((port) => plainArguments(port, directory))),
  );
  process.env[DIRECTORY] = directory;
  process.env[PORTS] = servers.map(({ port }) => port).join(',');
  return async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(directory, { recursive: true });
  };
}

/** A server that this worker has for itself until it releases it. */
export interface Claim {
  readonly port: number;
  release(): void;
}

/**
 * Claims one of the servers. A file says that it is taken: Vitest's own numbers of the workers are not unique.
 *
 * @returns undefined if all are taken, by a worker that crashed
 */
export function claimServer(): Claim | undefined {
  for (const port of (process.env[PORTS] ?? '').split(',').filter(Boolean).map(Number)) {
    const file = join(String(process.env[DIRECTORY]), String(port));
    try {
      writeFileSync(file, '', { flag: 'wx' });
      return { port, release: () => rmSync(file) };
    } catch {
      // another worker has it
    }
  }
  return undefined;
}
