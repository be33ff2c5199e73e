import { appendFileSync, chmodSync, cpSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/machine/temporary-file.ts';

const path = '../../scripts/lib/build-stamp.mjs';
const { STAMP, digestOf, isBuilt, stamp } = (await import(path)) as {
  STAMP: string;
  digestOf(root: string, paths: readonly string[]): string;
  isBuilt(output: string, sourcesDigest: string): boolean;
  stamp(output: string, sourcesDigest: string): void;
};

const SOURCES = ['services', 'package-lock.json', 'tsconfig.json'];

let root: string;
const at = (...names: string[]): string => join(root, ...names);
const write = (name: string, content: string): void => writeFileSync(at(name), content);

/** Builds into `out`, as far as the stamp is concerned. */
function build(): void {
  const sources = digestOf(root, SOURCES);
  rmSync(at('out'), { recursive: true, force: true });
  cpSync(at('services'), at('out', 'services'), { recursive: true });
  stamp(at('out'), sources);
}

const isCurrent = (): boolean => isBuilt(at('out'), digestOf(root, SOURCES));

beforeEach(() => {
  root = temporaryDirectory();
  mkdirSync(at('services', 'ticket'), { recursive: true });
  write('services/main.ts', 'main');
  write('services/ticket/router.ts', 'router');
  write('package-lock.json', '{}');
  write('tsconfig.json', '{}');
  build();
});

describe('a build is used again', () => {
  test('while nothing has changed', () => {
    expect(isCurrent()).toBe(true);
  });

  test('if only the times of its sources have changed, as after a checkout', () => {
    utimesSync(at('services', 'main.ts'), new Date(), new Date());

    expect(isCurrent()).toBe(true);
  });

  test('if a change was taken back', () => {
    write('services/main.ts', 'other');
    write('services/main.ts', 'main');

    expect(isCurrent()).toBe(true);
  });

  test('if a file changed that is not a source', () => {
    write('README.md', 'text');

    expect(isCurrent()).toBe(true);
  });
});

describe('a new build is needed', () => {
  test.each<[string, () => void]>([
    ['a source was added', () => write('services/ticket/added.ts', '')],
    ['a source was changed', () => write('services/ticket/router.ts', 'routes')],
    ['a source was removed', () => rmSync(at('services', 'ticket', 'router.ts'))],
    ['a source was renamed', () => renameSync(at('services', 'main.ts'), at('services', 'start.ts'))],
    ['a source was made executable', () => chmodSync(at('services', 'main.ts'), 0o755)],
    ['package-lock.json was changed', () => write('package-lock.json', '{"version":2}')],
    ['package-lock.json was removed', () => rmSync(at('package-lock.json'))],
    ['tsconfig.json was changed', () => write('tsconfig.json', '{"strict":true}')],
    ['the output folder was removed', () => rmSync(at('out'), { recursive: true })],
    ['the stamp was removed', () => rmSync(at('out', STAMP))],
    ['the stamp was written in part', () => writeFileSync(at('out', STAMP), '{"sources":"')],
    ['a built file was removed', () => rmSync(at('out', 'services', 'main.ts'))],
    ['a built file was changed', () => appendFileSync(at('out', 'services', 'main.ts'), '//')],
    ['a file was added to the output', () => writeFileSync(at('out', 'left-over.js'), '')],
    ['a built file changed its mode', () => chmodSync(at('out', 'services', 'main.ts'), 0o755)],
  ])('if %s', (_name, change) => {
    change();

    expect(isCurrent()).toBe(false);
    build();
    expect(isCurrent()).toBe(true);
  });

  test('if a source changed during the build', () => {
    const sources = digestOf(root, SOURCES);
    write('services/main.ts', 'changed while it was compiled');
    stamp(at('out'), sources);

    expect(isCurrent()).toBe(false);
  });
});

test('content that moves from one file to the next changes the digest', () => {
  write('services/main.ts', 'ab');
  write('services/next.ts', 'c');
  const before = digestOf(root, SOURCES);
  write('services/main.ts', 'a');
  write('services/next.ts', 'bc');

  expect(digestOf(root, SOURCES)).not.toBe(before);
});
