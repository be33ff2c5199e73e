import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const SOURCE = /\.(?:[cm]?[jt]sx?)$/;

interface Import {
  /** Path of the file that imports, from the root. */
  readonly from: string;
  readonly specifier: string;
  /** Path of what is imported, from the root; undefined for a package. */
  readonly to: string | undefined;
}

/** Every module specifier of a source: static, dynamic, re-exported, of a type, required. */
function specifiersOf(source: string): string[] {
  const code = source.replace(/\/\*.*?\*\/|(?<=^|\s)\/\/[^\n]*/gs, '');
  const patterns = [
    /\b(?:import|export)\b[^'"`;()]*?\bfrom\s*(['"])([^'"]+)\1/g,
    /\bimport\s*(['"])([^'"]+)\1/g,
    /\b(?:import|require)\s*\(\s*(['"`])([^'"`]+)\1/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, , specifier = '']) => specifier));
}

function filesUnder(directory: string): string[] {
  const path = join(root, directory);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => SOURCE.test(name) && !name.split(sep).includes('node_modules'))
    .map((name) => join(directory, name));
}

function importsUnder(directory: string): Import[] {
  return filesUnder(directory).flatMap((from) =>
    specifiersOf(readFileSync(join(root, from), 'utf8')).map((specifier) => ({
      from,
      specifier,
      to: specifier.startsWith('.') ? relative(root, resolve(root, dirname(from), specifier)) : undefined,
    })),
  );
}

const shown = ({ from, specifier }: Import): string => `${from} imports ${specifier}`;
const isUnder = (directory: string, path: string | undefined): boolean => path?.startsWith(directory + sep) ?? false;

describe('the scanner of imports', () => {
  test('finds every form of an import', () => {
    const source = `
      import a from './a.ts';
      import { b, type B } from "./b.ts";
      import type { C } from './c.ts';
      import {
        d,
      } from './d.ts';
      import './e.ts';
      export { f } from './f.ts';
      export * from './g.ts';
      export type { H } from './h.ts';
      const i = await import('./i.ts');
      type J = import('./j.ts').J;
      const k = require('./k.cjs');
      const l = import(\`./l.ts\`);
      import m, * as n from './m.ts';`;

    expect(specifiersOf(source).map((specifier) => specifier[2])).toStrictEqual([...'abcdfghmeijkl']);
  });

  test('finds none in comments and in other text', () => {
    const source = `
      // import './a.ts'
      /** as in import('./b.ts') */
      const from = 'https://example.com'; // from './c.ts'
      const text = 'imported from ' + "'./d.ts'";`;

    expect(specifiersOf(source)).toStrictEqual([]);
  });

  test('finds the imports that are there', () => {
    expect(importsUnder('shared').map(shown)).toContain(
      `${join('shared', 'store', 'redis', 'redis-store.ts')} imports ../../close-codes.ts`,
    );
  });
});

describe('imports', () => {
  test('of shared/ stay in shared/', () => {
    const imports = importsUnder('shared').filter(({ to }) => to !== undefined);

    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter(({ to }) => !isUnder('shared', to)).map(shown)).toStrictEqual([]);
  });

  const services = existsSync(join(root, 'services')) ? readdirSync(join(root, 'services')) : [];
  for (const service of services) {
    const own = join('services', service);
    const allowed = service === 'standalone' ? [join('services', 'ticket'), join('services', 'gateway')] : [];

    test(`of services/${service} go to no other service${allowed.length > 0 ? ' but ticket and gateway' : ''}`, () => {
      const strays = importsUnder(own).filter(
        ({ to }) => to !== undefined && ![own, 'shared', ...allowed].some((directory) => isUnder(directory, to)),
      );
      expect(strays.map(shown)).toStrictEqual([]);
    });
  }

  test('of the two tables are none', () => {
    const tables = [join('shared', 'refusals.ts'), join('shared', 'close-codes.ts')];

    for (const table of tables) expect(filesUnder('shared')).toContain(table);
    expect(
      importsUnder('shared')
        .filter(({ from }) => tables.includes(from))
        .map(shown),
    ).toStrictEqual([]);
  });

  test('of client/ go to itself and to the two tables, and to no package', () => {
    const tables = [join('shared', 'refusals.ts'), join('shared', 'close-codes.ts')];
    const strays = importsUnder('client').filter(({ to }) => !isUnder('client', to) && !tables.includes(to ?? ''));

    expect(strays.map(shown)).toStrictEqual([]);
  });

  test('of playground/ go to itself, to the client as it is published, and to the two tables', () => {
    const allowed = [join('client', 'index.ts'), join('shared', 'refusals.ts'), join('shared', 'close-codes.ts')];
    const imports = importsUnder('playground');
    const strays = imports.filter(({ to }) => !isUnder('playground', to) && !allowed.includes(to ?? ''));

    expect(imports.length).toBeGreaterThan(0);
    expect(strays.map(shown)).toStrictEqual([]);
  });

  test('are by path inside the house, never by the name of the package or an absolute path', () => {
    const strays = ['services', 'shared', 'client', 'playground']
      .flatMap(importsUnder)
      .filter(({ specifier }) => /^(?:oncegate(?:\/|$)|[/#]|file:)/.test(specifier));

    expect(strays.map(shown)).toStrictEqual([]);
  });
});
