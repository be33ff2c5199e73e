import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory, temporaryFile } from '../support/machine/temporary-file.ts';

interface Judged {
  outcome: 'met' | 'missed' | 'full' | 'unknown';
  ratio?: number;
  why?: string;
}
interface Target {
  id: string;
  experiment: string;
  series: string;
  against: string;
  atMost?: number;
  below?: number;
  atLeast?: number;
}

const REPORT = join(import.meta.dirname, '..', '..', 'bench', 'lib', 'report');
/** The bench is plain JavaScript; what is used of it here has its types here. */
const load = (file: string) => import(pathToFileURL(join(REPORT, file)).href);

const { judge } = (await load('judge.mjs')) as { judge: (target: Target, result: unknown) => Judged };
const { targets } = (await load('targets.mjs')) as { targets: Target[] };
const { textReport } = (await load('text-report.mjs')) as { textReport: (result: unknown) => string };
const { figures } = (await load('figures.mjs')) as {
  figures: (result: unknown) => { name: string; title: string; svg?: string }[];
};
const { writePage } = (await load('write-page.mjs')) as { writePage: (result: unknown, folder: string) => void };

const open = {
  name: 'open',
  title: 'An admitted handshake',
  unit: 'µs of CPU per operation',
  baseline: 'ws',
  rounds: 3,
  series: [
    { id: 'ws', label: 'bare ws', samples: [100, 200, 100] },
    { id: 'oncegate-relay', label: 'Oncegate, relay <mode>', samples: [80, 160, 95], redis: [30, 31, 32] },
    { id: 'oncegate-echo', label: 'Oncegate, echo mode', samples: [110, 230, 110], note: 'greets' },
    { id: 'slow', label: 'something slow', samples: [4_000, 8_000, 4_000], limitedByLoad: true },
  ],
  skipped: [{ id: 'ws-hs256', label: 'ws + jose HS256', reason: 'no network' }],
};

const scaling = (coresFull: number) => ({
  name: 'scaling',
  title: 'Several gateways',
  unit: 'handshakes/s',
  baseline: 'gateways-1',
  rounds: 1,
  axis: { label: 'gateways', scale: 'linear', ideal: 'proportional' },
  series: [
    { id: 'gateways-1', label: 'one gateway', x: 1, samples: [5_000], coresFull: 0.7 },
    { id: 'gateways-3', label: '3 gateways', x: 3, samples: [7_000], coresFull },
  ],
});

const resultOf = (...experiments: unknown[]) => ({
  machine: { cpu: 'A CPU', cores: 2, memoryGiB: 24, kernel: '6.1', pinned: true },
  versions: { node: '20.20.2' },
  when: '2026-11-25T15:00:00.000Z',
  quick: false,
  commit: 'abc1234',
  experiments,
});

describe('a target', () => {
  const judged = (id: string, result: unknown) => {
    const target = targets.find((one) => one.id === id);
    if (target === undefined) throw new Error(`no target ${id}`);
    return judge(target, result);
  };

  test('is met by the median of the ratios of each round, not by the ratio of the medians', () => {
    expect(judged('open-relay', resultOf(open))).toEqual({ outcome: 'met', ratio: 0.8 });
  });

  test('is missed past its bound', () => {
    expect(judged('open-echo', resultOf(open))).toMatchObject({ outcome: 'missed', ratio: 1.1 });
  });

  test('is judged by what was measured, not by what two decimals show', () => {
    const [ws, relay] = open.series.map((series) => ({ ...series, samples: [100, 100, 100] }));
    const result = resultOf({ ...open, series: [ws, { ...relay, samples: [90.4, 90.4, 90.4] }] });
    expect(judged('open-relay', result)).toEqual({ outcome: 'missed', ratio: 0.904 });
    expect(textReport(result)).toMatch(/^ +MISSED +0\.904 +at most 0\.90 /m);
  });

  test('is unknown with the reason why a series was skipped', () => {
    expect(judged('open-relay-hs256', resultOf(open))).toEqual({
      outcome: 'unknown',
      why: 'ws + jose HS256: no network',
    });
  });

  test('is unknown where its experiment was not run', () => {
    expect(judged('issue-basic', resultOf(open))).toEqual({ outcome: 'unknown', why: 'not run' });
  });

  test('is unknown after a quick run, which says nothing about speed', () => {
    expect(judged('open-relay', { ...resultOf(open), quick: true })).toMatchObject({ outcome: 'unknown', ratio: 0.8 });
  });

  test('of scaling is missed only while there is a core to spare', () => {
    expect(judged('scaling', resultOf(scaling(0.8)))).toMatchObject({ outcome: 'missed' });
    expect(judged('scaling', resultOf(scaling(0.99)))).toMatchObject({ outcome: 'full', ratio: 1.4 });
  });

  test('of what grows with the tickets sees what Redis alone pays, which the whole hides', () => {
    const growth = {
      ...open,
      name: 'growth-tickets',
      baseline: 'tickets-1000',
      series: [
        { id: 'tickets-1000', label: '1,000', samples: [200, 200, 200], redis: [30, 30, 30] },
        { id: 'tickets-1000000', label: '1,000,000', samples: [215, 215, 215], redis: [45, 45, 45] },
      ],
    };
    expect(judged('growth-tickets', resultOf(growth))).toEqual({ outcome: 'met', ratio: 1.075 });
    expect(judged('growth-tickets-redis', resultOf(growth))).toEqual({ outcome: 'missed', ratio: 1.5 });
  });

  test('has an id of its own and one bound', () => {
    expect(new Set(targets.map(({ id }) => id)).size).toBe(targets.length);
    for (const { atMost, below, atLeast } of targets) {
      expect([atMost, below, atLeast].filter((bound) => bound !== undefined)).toHaveLength(1);
    }
  });
});

describe('the load generator', () => {
  const withLoad = (...loads: object[]) =>
    resultOf({ ...open, series: open.series.slice(0, 2).map((series, index) => ({ ...series, ...loads[index] })) });

  test('is told of with its share once that is above one half of the CPU of the server', () => {
    expect(textReport(withLoad({ loadShare: [0.4, 0.5, 0.9] }))).not.toContain('load generator');
    expect(textReport(withLoad({ loadShare: [0.4, 0.6, 0.9] }))).toMatch(
      /bare ws · load generator: 0\.60 of the server's CPU$/m,
    );
  });

  test('is told of from the CPU of each operation, in a result without shares', () => {
    expect(textReport(withLoad({ load: [92, 184, 92] }))).toContain("load generator: 0.92 of the server's CPU");
  });

  test('is told of where it was the limit in some of the rounds', () => {
    expect(textReport(withLoad({ limitedByLoad: false, limitedRounds: 1 }))).toContain(
      'bare ws · the load generator was the limit in 1 of 3 rounds',
    );
  });

  test('is told of beside a target, for either of its series', () => {
    const result = withLoad({ loadShare: [0.9, 0.9, 0.9], limitedByLoad: true }, { loadShare: [0.7, 0.7, 0.7] });
    expect(textReport(result)).toMatch(
      /^ +met +0\.80 .* · load generator: 0\.70 of the server's CPU · the load generator was the limit, for the baseline · load generator: 0\.90 of the baseline's CPU$/m,
    );
  });
});

describe('the text for the terminal', () => {
  const text = textReport(resultOf(open));

  test('shows each series with ratio, spread, value and what has to be said about it', () => {
    expect(text).toMatch(/^ +1\.00 +100 +bare ws$/m);
    expect(text).toMatch(/^ +0\.80 +0\.80–0\.95 +95\.0 +31\.0 +Oncegate, relay <mode>$/m);
    expect(text).toMatch(/^ +40\.0 .*something slow · the load generator was the limit$/m);
    expect(text).toContain('skipped: ws + jose HS256: no network');
  });

  test('lists the targets of what was run, and no others', () => {
    expect(text).toMatch(/^ +met +0\.80 +at most 0\.90 +admitted handshake, relay mode/m);
    expect(text).toMatch(/^ +MISSED +1\.10 +at most 1\.00 +admitted handshake, echo mode/m);
    expect(text).not.toContain('a ticket issued');
  });
});

describe('the pictures', () => {
  const drawn = figures(resultOf(open, scaling(0.99), { ...scaling(0.99), name: 'scaling-cost' }));

  test('are one for each group of experiments', () => {
    expect(drawn.map(({ name }) => name)).toEqual(['open', 'scaling']);
  });

  test('are XML whose every element ends, with labels escaped', () => {
    for (const { svg = '' } of drawn) {
      const open: string[] = [];
      for (const [, slash, name = '', closed] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
        if (slash === '/') expect(open.pop()).toBe(name);
        else if (closed !== '/') open.push(name);
      }
      expect(open).toEqual([]);
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    }
    expect(drawn[0]?.svg).toContain('Oncegate, relay &lt;mode&gt;');
  });

  test('have a dot for each round beside the baseline, and break a bar that is too long', () => {
    expect(drawn[0]?.svg?.match(/<circle/g)).toHaveLength(2 * open.rounds);
    expect(drawn[0]?.svg?.match(/class="break"/g)).toHaveLength(2);
    expect(drawn[0]?.svg).toContain('A broken bar is longer than the scale.');
  });

  test('show every bar as a whole where none is far longer than the others, with a logarithmic scale if need be', () => {
    const [ws, ...others] = open.series;
    const longer = others.map((series, index) => ({ ...series, samples: [400 * (index + 1), 800, 400] }));
    const [{ svg = '' } = {}] = figures(resultOf({ ...open, series: [ws, ...longer] }));
    expect(svg).toContain('The scale is logarithmic.');
    expect(svg).not.toContain('class="break"');
    expect(svg.match(/<circle/g)).toHaveLength(others.length * open.rounds);
  });

  test('can be read by day and by night', () => {
    expect(drawn[0]?.svg).toContain('prefers-color-scheme: dark');
  });
});

test('a page is written with its pictures and its numbers, and those of an earlier run go', () => {
  const folder = temporaryDirectory();
  writePage(resultOf(scaling(0.99)), folder);
  expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(
    '| at least 1.70 | 1.40 | cores full: [why](../decisions/0032-where-the-time-goes.md) |',
  );
  writePage(resultOf(open, { ...open, name: 'refuse', series: [] }), folder);

  expect(readdirSync(folder).sort()).toEqual(['README.md', 'open.svg', 'result.json']);
  const page = readFileSync(join(folder, 'README.md'), 'utf8');
  expect(page).toContain(
    '| admitted handshake, echo mode | bare `ws`, no authentication | at most 1.00 | 1.10 | **missed**: [why](../decisions/0032-where-the-time-goes.md) |',
  );
  expect(page).toContain('![An admitted handshake](open.svg)');
  expect(page).toContain('| CPU | A CPU, 2 cores |');
  expect(JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))).toMatchObject({ commit: 'abc1234' });
});

test('results of several commits make a table, and no page', () => {
  const page = join(REPORT, '..', '..', '..', 'docs', 'bench', 'README.md');
  const before = readFileSync(page, 'utf8');
  const files = [resultOf(open), { ...resultOf(scaling(0.99)), commit: 'def5678' }].map((result) =>
    temporaryFile(JSON.stringify(result)),
  );
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(REPORT, '..', '..', 'report.mjs'), ...files, '--docs'],
    { encoding: 'utf8' },
  );

  expect(status).toBe(65);
  expect(stdout).toContain('Several gateways');
  expect(stderr).toBe(
    `bench: docs/bench is about one commit, but these are of several: ${files[0]} is of abc1234, ${files[1]} is of def5678\n`,
  );
  expect(readFileSync(page, 'utf8')).toBe(before);
});
