import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const PROJECTS = ['unit', 'service', 'browser', 'slow'];

/** What makes a test more than a unit test, where any module below it imports it. */
const BEYOND_NODE = /^(?:node:child_process|playwright-core|puppeteer-core|redis)$/;

const sources = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('test', name))
  .sort();
const testFiles = sources.filter((path) => path.endsWith('.test.ts'));

function projectOf(path: string): string {
  return /\.(\w+)\.test\.ts$/.exec(path)?.[1] ?? 'unit';
}

/** What a module imports at run time: not its types. Paths are from the root. */
function importsOf(path: string): string[] {
  if (!existsSync(join(root, path))) return [];
  const source = readFileSync(join(root, path), 'utf8');
  const specifiers = [
    ...source.matchAll(/^(?:import|export)(?! type\b)[^'"`;]*?from '([^']+)'/gm),
    ...source.matchAll(/^import '([^']+)'/gm),
    ...source.matchAll(/\bimport\('([^']+)'\)/g),
  ];
  return specifiers.map(([, specifier = '']) =>
    specifier.startsWith('.') ? relative(root, resolve(root, dirname(path), specifier)) : specifier,
  );
}

/** The imports beyond Node of a test and of the modules of `test/` that it uses, each with the path to it. */
function beyondNode(path: string, seen = new Set<string>()): string[] {
  return importsOf(path).flatMap((imported) => {
    if (BEYOND_NODE.test(imported)) return [`${path} imports ${imported}`];
    if (!imported.startsWith('test/') || seen.has(imported)) return [];
    seen.add(imported);
    return beyondNode(imported, seen);
  });
}

describe('a test file', () => {
  test('is in one of the projects, by its name', () => {
    expect(new Set(testFiles.map(projectOf))).toStrictEqual(new Set(PROJECTS));
  });

  test('is one wherever there are tests', () => {
    const others = sources.filter((path) => !testFiles.includes(path));
    // Suites for several test files say `export function`; one that registers its tests by itself has to end in .test.ts.
    const registering = others.filter((path) =>
      /^(?:test|describe)(?:\.\w+)*\(/m.test(readFileSync(join(root, path), 'utf8')),
    );

    expect(registering).toStrictEqual([]);
  });

  const units = testFiles.filter((path) => projectOf(path) === 'unit');

  test('needs nothing but Node where it is a unit test', () => {
    expect(units.flatMap((path) => beyondNode(path))).toStrictEqual([]);
  });

  test('needs no build where it is a unit test', () => {
    const self = relative(root, import.meta.filename);
    // Also by the package's own name, and by the page, which is served as it was built.
    const build = /['"`/]dist\/|from 'oncegate\/|PLAYGROUND: 'true'/;
    const built = units.filter((path) => path !== self && build.test(readFileSync(join(root, path), 'utf8')));

    expect(built).toStrictEqual([]);
  });
});
