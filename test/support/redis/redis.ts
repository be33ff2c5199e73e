import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import type { KeyPair } from '../machine/certificates.ts';
import { freePort } from '../machine/free-port.ts';
import { atEnd } from '../machine/teardown.ts';
import { temporaryDirectory } from '../machine/temporary-file.ts';
import { until } from '../machine/wait.ts';
import { HOST, launchRedis, plainArguments, type RedisProcess } from './redis-process.ts';
import { claimServer } from './worker-servers.ts';

/** A Redis as the things under test see it. No test disturbs it. */
export interface SharedRedis {
  readonly host: string;
  readonly port: number;
  /** The `redis://` address. */
  readonly url: string;
  /** The test's own client, with the defaults of ioredis. It reconnects after a restart. */
  readonly client: Redis;
  /** Sends any command and returns its raw reply. */
  call(command: string, ...args: Array<string | number>): Promise<unknown>;
}

/** A Redis of one test or test file, which may disturb it. */
export interface RedisServer extends SharedRedis, RedisProcess {
  /** Suspends the process (SIGSTOP): connections stay open, nothing is answered. */
  pause(): Promise<void>;
  /** Resumes a suspended process (SIGCONT). */
  resume(): void;
}

export interface RedisServerOptions {
  /** More arguments for redis-server, for example `['--requirepass', 'secret']`. */
  readonly args?: readonly string[];
  /** Password for the test's own client. */
  readonly password?: string;
  /** Speaks TLS only, with this certificate for 127.0.0.1. */
  readonly tls?: RedisTls;
}

export interface RedisTls {
  readonly authority: KeyPair;
  readonly pair: KeyPair;
}

/** A server without a port in clear, which also asks the others over TLS. */
function tlsArguments({ authority, pair }: RedisTls, port: number): string[] {
  const files = ['--tls-cert-file', pair.certFile, '--tls-key-file', pair.keyFile];
  const others = ['--tls-ca-cert-file', authority.certFile, '--tls-auth-clients', 'no'];
  return [
    '--port',
    '0',
    '--tls-port',
    String(port),
    ...files,
    ...others,
    ...['--tls-cluster', 'yes', '--tls-replication', 'yes'],
  ];
}

/** A Redis that is empty, and this test's or test file's own until the end. It serves one after the other. */
export async function workerRedis(): Promise<SharedRedis> {
  const claim = claimServer();
  if (claim === undefined) return startRedis();
  const { port } = claim;
  atEnd(async () => claim.release());
  const client = new Redis({ port, host: HOST });
  atEnd(async () => client.disconnect());
  await client.flushall();
  await client.script('FLUSH');
  const call = (command: string, ...args: Array<string | number>) => client.call(command, ...args);
  return { host: HOST, port, url: `redis://${HOST}:${port}`, client, call };
}

/** A real redis-server on a port of its own, without persistence. It is stopped with the test or the test file. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const args = ['--maxmemory-policy', 'noeviction', ...(options.args ?? [])];
  return launch(() => args, options);
}

type Access = Pick<RedisServerOptions, 'password' | 'tls'>;

async function launch(
  argumentsOf: (dir: string) => readonly string[],
  { password, tls }: Access,
): Promise<RedisServer> {
  const dir = temporaryDirectory();
  // redis-server takes a configuration file as its first argument only.
  const args = argumentsOf(dir);
  const [config, rest] = args[0]?.startsWith('--') ? [[], args] : [args.slice(0, 1), args.slice(1)];
  const secured = (port: number) => (tls === undefined ? [] : tlsArguments(tls, port));
  const server = await launchRedis((port) => [...config, ...plainArguments(port, dir), ...secured(port), ...rest], {
    ...(password !== undefined && { password }),
    ...(tls && { tls: { ca: tls.authority.cert } }),
  });
  const { port, client } = server;
  atEnd(server.stop);
  return Object.assign(server, {
    host: HOST,
    url: `${tls === undefined ? 'redis' : 'rediss'}://${HOST}:${port}`,
    call: (command: string, ...more: Array<string | number>) => client.call(command, ...more),
    async pause() {
      server.send('SIGSTOP');
      await until(async () => (await processState(server.pid)).startsWith('T'), { what: 'the process is stopped' });
    },
    resume: () => server.send('SIGCONT'),
  });
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

function passwordArguments(password: string | undefined): string[] {
  return password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
}

const SLOTS = 16_384;

/** Starts a Redis Cluster of three masters that share the slots. */
export async function startCluster(access: Access = {}): Promise<RedisCluster> {
  const busPorts = await Promise.all([freePort(), freePort(), freePort()]);
  const nodes = await Promise.all(
    busPorts.map((busPort) =>
      startRedis({
        ...access,
        args: [
          ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '2000'],
          ...passwordArguments(access.password),
        ],
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
export async function startSentinel(
  access: Access & { readonly sentinelPassword?: string } = {},
): Promise<RedisSentinel> {
  const name = 'oncegate';
  const { password, sentinelPassword, tls } = access;
  const passwords = passwordArguments(password);
  const master = await startRedis({ ...access, args: ['--repl-diskless-sync-delay', '0', ...passwords] });
  const replica = await startRedis({ ...access, args: ['--replicaof', HOST, String(master.port), ...passwords] });
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'), {
    what: 'the replica is in sync',
  });
  const sentinel = await launch(
    (dir) => {
      const file = join(dir, 'sentinel.conf');
      const lines = [
        `sentinel monitor ${name} ${HOST} ${master.port} 1`,
        `sentinel down-after-milliseconds ${name} 500`,
        `sentinel failover-timeout ${name} 3000`,
        ...(password === undefined ? [] : [`sentinel auth-pass ${name} ${password}`]),
        ...(sentinelPassword === undefined ? [] : [`requirepass ${sentinelPassword}`]),
      ];
      writeFileSync(file, `${lines.join('\n')}\n`);
      return [file, '--sentinel'];
    },
    { ...(sentinelPassword !== undefined && { password: sentinelPassword }), ...(tls && { tls }) },
  );
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
