import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve, sep } from 'node:path';
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

/** Which file imports which, by their paths from the root. */
type Graph = ReadonlyMap<string, readonly string[]>;

function graphOf(directories: readonly string[]): Graph {
  const graph = new Map<string, string[]>();
  for (const { from, to } of directories.flatMap(importsUnder)) {
    if (to !== undefined) graph.set(from, [...(graph.get(from) ?? []), to]);
  }
  return graph;
}

/** The import circles of a graph, each from a file back to itself; none is left out without another that shares a file. */
function circlesIn(graph: Graph): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  function visit(file: string, path: readonly string[]): void {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file].join(' -> '));
    if (start >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  }
  for (const file of graph.keys()) visit(file, []);
  return circles;
}

/** Where a file of the gateway is: its room, or its own name for those beside the rooms. */
function roomOf(path: string, house: string): string | undefined {
  const [room, ...rest] = relative(house, path).split(sep);
  if (room === undefined || room === '..') return undefined;
  return rest.length === 0 ? room.replace(SOURCE, '') : room;
}

/** The imports from one room into another that the table does not allow. */
function straysFrom(graph: Graph, house: string, allowed: Readonly<Record<string, readonly string[]>>): string[] {
  const strays: string[] = [];
  for (const [from, targets] of graph) {
    const room = roomOf(from, house);
    if (room === undefined) continue;
    for (const to of targets) {
      const other = roomOf(to, house);
      if (other !== undefined && other !== room && !allowed[room]?.includes(other))
        strays.push(`${from} imports ${to}`);
    }
  }
  return strays;
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

describe('the checks of a graph', () => {
  const graph = (arrows: Readonly<Record<string, readonly string[]>>): Graph => new Map(Object.entries(arrows));

  test('find a circle, however long it is', () => {
    expect(circlesIn(graph({ a: ['b'], b: ['c'], c: ['d'], d: ['b'] }))).toStrictEqual(['b -> c -> d -> b']);
    expect(circlesIn(graph({ a: ['a'] }))).toStrictEqual(['a -> a']);
  });

  test('find every circle apart from the others', () => {
    expect(circlesIn(graph({ a: ['b', 'c'], b: ['a'], c: ['d'], d: ['c'] }))).toStrictEqual([
      'a -> b -> a',
      'c -> d -> c',
    ]);
  });

  test('find none where two ways lead to the same file', () => {
    expect(circlesIn(graph({ a: ['b', 'c'], b: ['d'], c: ['d'] }))).toStrictEqual([]);
  });

  const house = join('services', 'made-up');
  const file = (name: string): string => join(house, name);
  const allowed = { front: ['core'], core: [], main: ['front'] };

  test('find an arrow between rooms that the table does not have', () => {
    const arrows = { [file('core/a.ts')]: [file('front/b.ts')], [file('main.ts')]: [file('core/a.ts')] };

    expect(straysFrom(graph(arrows), house, allowed)).toStrictEqual([
      `${file('core/a.ts')} imports ${file('front/b.ts')}`,
      `${file('main.ts')} imports ${file('core/a.ts')}`,
    ]);
  });

  test('find a room that the table does not have', () => {
    expect(straysFrom(graph({ [file('attic/a.ts')]: [file('core/b.ts')] }), house, allowed)).toHaveLength(1);
  });

  test('let pass what stays in a room, leaves the house, or is in the table', () => {
    const arrows = { [file('front/a.ts')]: [file('front/b.ts'), file('core/c.ts'), join('shared', 'd.ts')] };

    expect(straysFrom(graph(arrows), house, allowed)).toStrictEqual([]);
  });
});

/** Each room of a house, and each file beside the rooms, with what it may import of the others. */
const houses: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'services/gateway': {
    main: ['gateway', 'rules'],
    gateway: ['core', 'fronts', 'identity'],
    fronts: ['core', 'rules', 'admission', 'upstream', 'wires', 'identity'],
    core: ['admission', 'connections'],
    rules: ['admission', 'identity'],
    admission: ['connections', 'upstream', 'wires'],
    connections: ['wires'],
    upstream: ['wires', 'identity'],
    wires: [],
    identity: [],
  },
  'services/ticket': {
    main: ['ticket-service', 'authenticators', 'issuing'],
    'check-config': ['authenticators', 'issuing'],
    'ticket-service': ['fronts', 'authenticators', 'issuing', 'pages'],
    fronts: ['sign-in', 'authenticators', 'issuing', 'records', 'pages', 'answers'],
    pages: ['sign-in', 'issuing', 'answers'],
    records: ['sign-in', 'authenticators', 'issuing', 'answers'],
    issuing: ['sign-in', 'authenticators', 'answers'],
    'sign-in': ['authenticators', 'limits', 'answers'],
    authenticators: ['limits'],
    limits: [],
    answers: [],
  },
  client: {
    index: ['options', 'connect', 'socket', 'errors', 'waiting'],
    socket: ['options', 'connect', 'tickets', 'errors', 'waiting'],
    connect: ['options', 'tickets', 'errors', 'waiting'],
    tickets: ['options', 'errors', 'waiting'],
    options: ['errors', 'waiting'],
    errors: [],
    waiting: [],
  },
};

describe.each(Object.entries(houses))('the rooms of %s', (path, table) => {
  const house = normalize(path);
  const graph = graphOf([house]);
  const rooms = new Set([...graph.keys()].map((file) => roomOf(file, house)));

  test('import one way only, as the table says', () => {
    expect(straysFrom(graph, house, table)).toStrictEqual([]);
  });

  test('are those of the table', () => {
    expect([...rooms].sort()).toStrictEqual(Object.keys(table).sort());
  });

  test('have no arrow in the table that no file needs', () => {
    const needed = new Set(
      [...graph].flatMap(([from, targets]) => targets.map((to) => `${roomOf(from, house)} -> ${roomOf(to, house)}`)),
    );
    const arrows = Object.entries(table).flatMap(([room, others]) => others.map((other) => `${room} -> ${other}`));

    expect(arrows.filter((arrow) => !needed.has(arrow))).toStrictEqual([]);
  });

  test('have no circle in the table', () => {
    expect(circlesIn(new Map(Object.entries(table)))).toStrictEqual([]);
  });
});

describe('imports', () => {
  test('make no circle anywhere, those of types alone included', () => {
    const graph = graphOf(['services', 'shared', 'client', 'playground', 'bench', 'scripts', 'test', 'examples']);

    expect(graph.size).toBeGreaterThan(300);
    expect(circlesIn(graph)).toStrictEqual([]);
  });

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
