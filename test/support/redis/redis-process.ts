import { type ChildProcess, spawn } from 'node:child_process';
import { Redis, type RedisOptions } from 'ioredis';
import { freePort } from '../machine/free-port.ts';
import { until } from '../machine/wait.ts';

export const HOST = '127.0.0.1';

const START_ATTEMPTS = 5;

/** Killed with the worker, if it exits before the teardown. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** What the client needs to be let in. */
type Access = Pick<RedisOptions, 'password' | 'tls'>;

/** A redis-server that answers, and a client of it. */
export interface RedisProcess {
  readonly port: number;
  readonly client: Redis;
  readonly pid: number;
  /** Sends a signal. */
  send(signal: NodeJS.Signals): void;
  /** Sends a signal, by default SIGKILL, and waits until the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  /** Ends the process and the client. */
  stop(): Promise<void>;
}

/** Starts a redis-server on a free port. Nothing ends it but its functions, or the end of this process. */
export async function launchRedis(
  argumentsOf: (port: number) => readonly string[],
  access: Access = {},
): Promise<RedisProcess> {
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    try {
      return await launchOn(await freePort(), argumentsOf, access);
    } catch (error) {
      failure = error; // most likely another process took the port
    }
  }
  throw new Error('redis-server does not start', { cause: failure });
}

async function launchOn(
  port: number,
  argumentsOf: (port: number) => readonly string[],
  access: Access = {},
): Promise<RedisProcess> {
  const start = () => startProcess(argumentsOf(port));
  let child = start();
  const client = new Redis({
    port,
    host: HOST,
    ...access,
    maxRetriesPerRequest: null,
    retryStrategy: () => 25,
  });
  client.on('error', () => {});

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    child.process.kill(signal);
    await child.exited;
  }
  async function stop(): Promise<void> {
    client.disconnect();
    await kill();
  }
  try {
    await answering(client, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    client,
    get pid() {
      return child.pid;
    },
    send: (signal) => void child.process.kill(signal),
    kill,
    async restart() {
      await kill();
      child = start();
      await answering(client, child);
    },
    stop,
  };
}

/** The arguments of a redis-server without persistence. */
export function plainArguments(port: number, dir: string): string[] {
  return ['--bind', HOST, '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no'];
}

interface Started {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves with its output once it has ended. */
  readonly exited: Promise<string>;
}

function startProcess(args: readonly string[]): Started {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', () => resolve(output));
  });
  void exited.then(() => running.delete(child));
  return { process: child, pid: child.pid ?? 0, exited };
}

/** Waits until this very process answers: another one may have taken the port. */
async function answering(client: Redis, child: Started): Promise<void> {
  const ended = child.exited.then((output) => {
    throw new Error(`redis-server ended: ${output}`);
  });
  const answered = until(async () => (await client.info('server')).includes(`process_id:${child.pid}\r\n`), {
    what: 'redis-server answers',
  });
  answered.catch(() => {});
  ended.catch(() => {});
  await Promise.race([answered, ended]);
}
