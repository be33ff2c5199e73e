import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort } from '../machine/free-port.ts';
import { atEnd } from '../machine/teardown.ts';
import { temporaryDirectory } from '../machine/temporary-file.ts';
import { until } from '../machine/wait.ts';

const HOST = '127.0.0.1';
const START_ATTEMPTS = 5;

export interface RedisServer {
  readonly host: string;
  readonly port: number;
  /** The `redis://` address. */
  readonly url: string;
  readonly pid: number;
  /** The test's own client, with the defaults of ioredis. It reconnects after a restart. */
  readonly client: Redis;
  /** Sends any command and returns its raw reply. */
  call(command: string, ...args: Array<string | number>): Promise<unknown>;
  /** Sends a signal, by default SIGKILL, and waits until the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Suspends the process (SIGSTOP): connections stay open, nothing is answered. */
  pause(): Promise<void>;
  /** Resumes a suspended process (SIGCONT). */
  resume(): void;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
  /** Ends the process and removes its directory. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** More arguments for redis-server, for example `['--requirepass', 'secret']`. */
  readonly args?: readonly string[];
  /** Password for the test's own client. */
  readonly password?: string;
}

/** Killed with the worker, if it exits before the teardown. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A real redis-server on a port of its own, without persistence. It is stopped with the test or the test file. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const args = ['--maxmemory-policy', 'noeviction', ...(options.args ?? [])];
  return launch(() => args, options.password);
}

async function launch(argumentsOf: (dir: string) => readonly string[], password?: string): Promise<RedisServer> {
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    try {
      return await launchOn(await freePort(), argumentsOf, password);
    } catch (error) {
      failure = error; // most likely another process took the port
    }
  }
  throw new Error('redis-server does not start', { cause: failure });
}

async function launchOn(
  port: number,
  argumentsOf: (dir: string) => readonly string[],
  password?: string,
): Promise<RedisServer> {
  const dir = temporaryDirectory();
  // redis-server takes a configuration file as its first argument only.
  const args = argumentsOf(dir);
  const [config, rest] = args[0]?.startsWith('--') ? [[], args] : [args.slice(0, 1), args.slice(1)];
  const common = ['--bind', HOST, '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no'];
  const start = () => startProcess([...config, ...common, ...rest]);

  let child = start();
  const client = new Redis({
    port,
    host: HOST,
    ...(password !== undefined && { password }),
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
  atEnd(stop);

  return {
    host: HOST,
    port,
    url: `redis://${HOST}:${port}`,
    get pid() {
      return child.pid;
    },
    client,
    call: (command, ...rest) => client.call(command, ...rest),
    kill,
    async pause() {
      child.process.kill('SIGSTOP');
      await until(async () => (await processState(child.pid)).startsWith('T'), { what: 'the process is stopped' });
    },
    resume() {
      child.process.kill('SIGCONT');
    },
    async restart() {
      await kill();
      child = start();
      await answering(client, child);
    },
    stop,
  };
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

async function processState(pid: number): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'state=', '-p', String(pid)]);
  return stdout.trim();
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** The node that serves the slot of a key. */
  nodeOf(key: string): Promise<RedisServer>;
}

const SLOTS = 16_384;

/** Starts a Redis Cluster of three masters that share the slots. */
export async function startCluster(): Promise<RedisCluster> {
  const busPorts = await Promise.all([freePort(), freePort(), freePort()]);
  const nodes = await Promise.all(
    busPorts.map((busPort) =>
      startRedis({
        args: ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '2000'],
      }),
    ),
  );
  const firstSlot = (index: number): number => Math.floor((SLOTS * index) / nodes.length);
  await Promise.all(
    nodes.map(async (node, index) => {
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      await node.call('CLUSTER', 'ADDSLOTSRANGE', firstSlot(index), firstSlot(index + 1) - 1);
    }),
  );
  const [first] = nodes;
  for (const [index, node] of nodes.entries()) {
    if (node !== first) await first?.call('CLUSTER', 'MEET', HOST, node.port, busPorts[index] ?? 0);
  }
  for (const node of nodes) {
    await until(
      async () => {
        const info = String(await node.call('CLUSTER', 'INFO'));
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`);
      },
      { what: 'cluster_state:ok' },
    );
  }
  // It was short so that they found each other soon. From here on a node that is busy is not given up.
  await Promise.all(nodes.map((node) => node.call('CONFIG', 'SET', 'cluster-node-timeout', 60_000)));
  return {
    nodes,
    async nodeOf(key) {
      const slot = Number(await first?.call('CLUSTER', 'KEYSLOT', key));
      const node = nodes.findLast((_, index) => firstSlot(index) <= slot);
      if (node === undefined) throw new Error(`no node serves slot ${slot}`);
      return node;
    },
  };
}

export interface RedisSentinel {
  /** The name of the group, which clients ask for. */
  readonly name: string;
  /** The two servers; the first one is the master at the start. */
  readonly servers: readonly [RedisServer, RedisServer];
  readonly sentinel: RedisServer;
  /** The port of the master according to the sentinel. */
  masterPort(): Promise<number>;
}

/** Starts a master, a replica in sync with it, and a sentinel that watches them. */
export async function startSentinel(): Promise<RedisSentinel> {
  const name = 'oncegate';
  const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  const replica = await startRedis({ args: ['--replicaof', HOST, String(master.port)] });
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'), {
    what: 'the replica is in sync',
  });
  const sentinel = await launch((dir) => {
    const file = join(dir, 'sentinel.conf');
    const lines = [
      `sentinel monitor ${name} ${HOST} ${master.port} 1`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 3000`,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return [file, '--sentinel'];
  });
  await until(async () => (await sentinel.client.info('sentinel')).includes('slaves=1,sentinels=1'), {
    what: 'the sentinel knows the replica',
  });
  return {
    name,
    servers: [master, replica],
    sentinel,
    async masterPort() {
      const reply = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as [string, string]; // host and port
      return Number(reply[1]);
    },
  };
}
