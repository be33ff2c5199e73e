import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { isMissing } from '../support/machine/programs.ts';
import { temporaryDirectory, temporaryFile } from '../support/machine/temporary-file.ts';
import { until } from '../support/machine/wait.ts';

/** As bench/README.md describes it. */
interface Result {
  readonly quick: boolean;
  readonly commit: string;
  readonly machine: { readonly cores: number };
  readonly versions: Readonly<Record<string, string>>;
  readonly experiments: readonly Experiment[];
}
interface Experiment {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly baseline: string;
  readonly rounds: number;
  readonly series: ReadonlyArray<{ readonly id: string; readonly samples: readonly number[] }>;
  readonly skipped: ReadonlyArray<{ readonly id: string; readonly reason: string }>;
}

/** What each experiment measures without anything that the bench would have to install; a count that a server keeps is checked by the bench. */
const RELAYS = ['nginx', 'haproxy', 'ws-relay', 'oncegate'];
const SERIES: Readonly<Record<string, readonly string[]>> = {
  open: ['ws', 'ws-batched', 'oncegate-echo', 'oncegate-relay', 'ws-hs256', 'ws-es256', 'socket.io', 'auth_request'],
  refuse: ['http', 'ws', 'oncegate-before', 'oncegate-after', 'oncegate-after-spent', 'socket.io'],
  issue: ['http', 'express', 'oncegate-basic', 'oncegate-hs256'],
  'latency-consume': ['ping-p50', 'ping-p99', 'consume-p50', 'consume-p99'],
  'latency-handshake': ['ws', 'ws-batched', 'oncegate-echo', 'oncegate-relay'].flatMap((id) => [
    `${id}-p50`,
    `${id}-p99`,
  ]),
  'relay-64-1': RELAYS,
  'relay-64-100': RELAYS,
  'relay-16k-1': RELAYS,
  'relay-16k-100': RELAYS,
  'relay-in-flight': RELAYS,
  'memory-echo': ['ws', 'oncegate'],
  'memory-relay': RELAYS,
  scaling: ['gateways-1', 'gateways-2', 'gateways-3'],
  'scaling-cost': ['gateways-1', 'gateways-2', 'gateways-3'],
  'growth-tickets': ['tickets-1000', 'tickets-10000'],
  'growth-connections': ['connections-1', 'connections-1000'],
};

/** What a machine without these programs skips. */
const ABSENT = [...(isMissing('nginx') ? ['nginx', 'auth_request'] : []), ...(isMissing('haproxy') ? ['haproxy'] : [])];

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(ROOT, 'bench', 'main.mjs');

async function bench(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args]);
  return stdout;
}

const readResult = (file: string): Result => JSON.parse(readFileSync(file, 'utf8')) as Result; // what is checked here

describe.skipIf(process.platform !== 'linux' || isMissing('cc'))('npm run bench -- --quick', () => {
  let output: string;
  let result: Result;

  beforeAll(async () => {
    const file = temporaryFile('');
    const series = [...new Set(Object.values(SERIES).flat())].join(',');
    output = await bench('--quick', '--series', series, '--json', file);
    result = readResult(file);
  }, 900_000);

  const experiment = (name: string): Experiment | undefined => result.experiments.find((one) => one.name === name);

  test('says what was measured, and on what', () => {
    expect(result.quick).toBe(true);
    expect(result.machine.cores).toBeGreaterThan(0);
    expect(result.versions).toMatchObject({ node: process.versions.node, ws: expect.stringMatching(/^8\./) });
    expect(result.experiments.map(({ name }) => name)).toEqual(Object.keys(SERIES));
  });

  test.each(Object.entries(SERIES))('measures every series of %s', (name, ids) => {
    const measured = ids.filter((id) => !ABSENT.includes(id));
    expect(experiment(name)?.skipped.map(({ id }) => id)).toEqual(ids.filter((id) => ABSENT.includes(id)));
    expect(experiment(name)?.series.map(({ id }) => id)).toEqual(measured);
    expect(ids).toContain(experiment(name)?.baseline);
    for (const { samples } of experiment(name)?.series ?? []) {
      expect(samples).toHaveLength(1);
      expect(samples[0]).toBeGreaterThan(0);
    }
  });

  test('prints a table for each experiment, and how the targets were met', () => {
    for (const { title } of result.experiments) expect(output).toContain(title);
    expect(output).toMatch(/^Targets$/m);
  });
});

/** The bench with nothing installed for it, on a machine that has no npm, no apt-get and no websockify. */
function bareBench(): { main: string; env: NodeJS.ProcessEnv } {
  const folder = temporaryDirectory();
  const isMade = (path: string) => ['node_modules', '.build'].includes(basename(path));
  cpSync(join(ROOT, 'bench'), join(folder, 'bench'), { recursive: true, filter: (path) => !isMade(path) });
  for (const name of ['dist', 'node_modules', 'scripts', 'package.json']) {
    symlinkSync(join(ROOT, name), join(folder, name));
  }
  const commands = join(folder, 'commands');
  mkdirSync(commands);
  for (const name of ['sh', 'redis-server', 'taskset', 'cc', 'as', 'ld']) {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
    if (found !== '') symlinkSync(found, join(commands, name));
  }
  return { main: join(folder, 'bench', 'main.mjs'), env: { PATH: commands } };
}

test.skipIf(process.platform !== 'linux' || isMissing('cc'))(
  'a peer that cannot be installed is skipped with the reason, and the run goes on',
  async () => {
    const { main, env } = bareBench();
    const file = temporaryFile('');
    const args = [main, '--quick', '--only', 'open', '--series', 'colyseus,websockify,ws-batched', '--json', file];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });

    const [open] = readResult(file).experiments;
    expect(open?.series.map(({ id }) => id)).toEqual(['ws', 'ws-batched']);
    expect(open?.skipped).toEqual([
      { id: 'colyseus', label: expect.any(String), reason: 'npm cannot install it: spawnSync npm ENOENT' },
      // Only root may try at all.
      { id: 'websockify', label: expect.any(String), reason: expect.stringMatching(/^websockify .*install/) },
    ]);
    expect(stdout).toMatch(/^ {2}skipped: Colyseus.*: npm cannot install it: /m);
  },
  60_000,
);

/** Whether a process has the name of this folder on its command line. */
function isInUse(folder: string): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      return readFileSync(join('/proc', pid, 'cmdline'), 'utf8').includes(folder);
    } catch {
      return false; // no process, or one that ended while it was looked at
    }
  });
}

test.skipIf(process.platform !== 'linux' || isMissing('cc'))(
  'one that is ended while the consume step is measured leaves nothing behind',
  async () => {
    const folder = temporaryDirectory();
    const child = spawn(process.execPath, [MAIN, '--only', 'latency', '--rounds', '1'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    const isProbed = () => readdirSync(folder).some((name) => existsSync(join(folder, name, 'tickets.json')));
    await until(() => isProbed() && isInUse(folder), { what: 'tickets are consumed' });

    child.kill('SIGTERM');
    expect(await ended).toEqual([143, null]);
    expect(readdirSync(folder)).toEqual([]);
    await until(() => !isInUse(folder), { what: 'the process that consumed them has ended' });
  },
  600_000,
);

test.skipIf(process.platform !== 'linux' || isMissing('cc'))(
  'one whose reader goes away leaves nothing behind',
  async () => {
    const folder = temporaryDirectory();
    const child = spawn(process.execPath, [MAIN, '--quick', '--only', 'issue,scaling', '--series', 'http'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');

    child.stdout.destroy();
    expect(await ended).toEqual([1, null]);
    expect(readdirSync(folder)).toEqual([]);
  },
  600_000,
);

test('--list names the experiments', async () => {
  const names = (await bench('--list')).split('\n').map((line) => line.split(' ')[0]);
  expect(names).toEqual(['open', 'refuse', 'issue', 'latency', 'relay', 'memory', 'scaling', 'growth', '']);
});

test('a wrong command line ends with 64 and says what is wrong', async () => {
  await expect(bench('--only', 'nonsense')).rejects.toMatchObject({
    code: 64,
    stderr: expect.stringContaining('there is no nonsense'),
  });
});
