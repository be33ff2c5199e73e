import { tmpdir } from 'node:os';
import { isMissing } from '../machine/programs.ts';
import { launchRedis, plainArguments } from './redis-process.ts';

/** The ports of the servers, one for each worker, in the environment of all workers. */
const PORTS = 'ONCEGATE_TEST_REDIS_PORTS';

/** Before the tests: starts one Redis for each worker, once for all projects, and ends them all behind the tests. */
export default async function setup({ config }: { readonly config: { readonly maxWorkers?: number } }) {
  if (isMissing('redis') || process.env[PORTS] !== undefined) return undefined;
  const dir = tmpdir(); // nothing is written there
  const servers = await Promise.all(
    Array.from({ length: config.maxWorkers ?? 1 }, () => launchRedis((port) => plainArguments(port, dir))),
  );
  process.env[PORTS] = servers.map(({ port }) => port).join(',');
  return async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
}

/** The port of the Redis of this worker. */
export function portOfWorker(): number {
  const ports = (process.env[PORTS] ?? '').split(',');
  const port = Number(ports[Number(process.env.VITEST_POOL_ID) - 1]);
  if (!port) throw new Error('no Redis was started for this worker');
  return port;
}
