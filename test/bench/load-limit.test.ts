import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const LIB = join(import.meta.dirname, '..', '..', 'bench', 'lib');
const load = (file: string) => import(pathToFileURL(join(LIB, file)).href);

const { weighLoad } = (await load('load/load-limit.mjs')) as {
  weighLoad: (used: { load: number; servers: number; neighbours: number; wall: number }) => {
    loadShare: number;
    limitedByLoad: boolean;
  };
};
const { pinned } = (await load('machine/pin.mjs')) as { pinned: boolean };

test('a load generator that is cheap, with room on its core, is no limit', () => {
  expect(weighLoad({ load: 30, servers: 100, neighbours: 20, wall: 120 })).toEqual({
    loadShare: 0.3,
    limitedByLoad: false,
  });
});

test('a load generator that uses more CPU than the servers is the limit', () => {
  expect(weighLoad({ load: 110, servers: 100, neighbours: 0, wall: 200 })).toMatchObject({ limitedByLoad: true });
});

test('a load generator whose core is full is the limit', () => {
  expect(weighLoad({ load: 96, servers: 100, neighbours: 0, wall: 100 })).toMatchObject({ limitedByLoad: true });
});

test.skipIf(!pinned)('Redis and back ends help to fill the core of the load generator', () => {
  expect(weighLoad({ load: 50, servers: 100, neighbours: 46, wall: 100 })).toMatchObject({ limitedByLoad: true });
});
