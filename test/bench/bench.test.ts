import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { isMissing } from '../support/fleet.ts';
import { temporaryFile } from '../support/temporary-file.ts';

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
  readonly unit: string;
  readonly baseline: string;
  readonly rounds: number;
  readonly series: ReadonlyArray<{ readonly id: string; readonly samples: readonly number[] }>;
  readonly skipped: ReadonlyArray<{ readonly id: string; readonly reason: string }>;
}

/** Those that need nothing which the bench would have to install, and whether each really did what it counts is checked there. */
const SERIES = {
  open: ['ws', 'ws-batched', 'oncegate-echo', 'oncegate-relay', 'ws-hs256', 'ws-es256', 'socket.io'],
  refuse: ['http', 'ws', 'oncegate-before', 'oncegate-after', 'oncegate-after-spent', 'socket.io'],
  issue: ['http', 'express', 'oncegate-basic', 'oncegate-hs256'],
  'latency-consume': ['ping-p50', 'ping-p99', 'consume-p50', 'consume-p99'],
};

const MAIN = join(import.meta.dirname, '..', '..', 'bench', 'main.mjs');

async function bench(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args]);
  return stdout;
}

describe.skipIf(process.platform !== 'linux' || isMissing('cc'))('npm run bench -- --quick', () => {
  let output: string;
  let result: Result;

  beforeAll(async () => {
    const file = temporaryFile('');
    const series = [...new Set(Object.values(SERIES).flat())].join(',');
    output = await bench('--quick', '--only', 'open,refuse,issue,latency', '--series', series, '--json', file);
    result = JSON.parse(readFileSync(file, 'utf8')) as Result; // what is checked here
  }, 180_000);

  const experiment = (name: string): Experiment | undefined => result.experiments.find((one) => one.name === name);

  test('says what was measured, and on what', () => {
    expect(result.quick).toBe(true);
    expect(result.machine.cores).toBeGreaterThan(0);
    expect(result.versions).toMatchObject({ node: process.versions.node, ws: expect.stringMatching(/^8\./) });
    expect(result.experiments.map(({ name }) => name)).toEqual([...Object.keys(SERIES), 'latency-handshake']);
  });

  test.each(Object.keys(SERIES) as Array<keyof typeof SERIES>)('measures every series of %s', (name) => {
    expect(experiment(name)?.skipped).toEqual([]);
    expect(experiment(name)?.series.map(({ id }) => id)).toEqual(SERIES[name]);
    expect(SERIES[name]).toContain(experiment(name)?.baseline);
    for (const { samples } of experiment(name)?.series ?? []) {
      expect(samples).toHaveLength(1);
      expect(samples[0]).toBeGreaterThan(0);
    }
  });

  test('prints a table for each experiment, and how the targets were met', () => {
    expect(output).toContain('An admitted handshake, opened and closed');
    expect(output).toMatch(/^Targets$/m);
  });
});

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
