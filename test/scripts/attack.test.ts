import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readText } from '../docs/pages.ts';

interface AttackFile {
  readonly path: string;
  readonly tests: ReadonlyArray<{ readonly status: string; readonly fullName: string; readonly meta?: object }>;
}

// Scripts have no declarations: these are the types of their JSDoc.
const load = (name: string): Promise<unknown> => import(`../../scripts/lib/${name}.mjs`);
const { attackKinds } = (await load('attack-kinds')) as { attackKinds: Record<string, readonly string[]> };
const { resultOf } = (await load('attack-result')) as {
  resultOf(files: readonly AttackFile[]): { lines: readonly string[]; good: boolean };
};

const kinds = Object.entries(attackKinds);

describe('the attack tests', () => {
  test.each(kinds)('%s are there', (_kind, paths) => {
    expect(paths.filter((path) => !existsSync(join(import.meta.dirname, '../..', path)))).toEqual([]);
  });

  test('are nine kinds or more, almost all of which npm test tries too', () => {
    const slow = kinds.filter(([, paths]) => paths.every((path) => path.endsWith('.slow.test.ts')));

    expect(kinds.length).toBeGreaterThanOrEqual(9);
    expect(slow.map(([kind]) => kind)).toEqual(['random handshakes', 'tickets used twice']);
  });

  test.each(['SECURITY.md', 'CONTRIBUTING.md'])('are named in %s by the command that runs them', (page) => {
    expect(readText(page)).toContain('npm run attack');
    expect(readText('package.json')).toContain('"attack": "node scripts/attack.mjs"');
  });
});

describe('the result of a run', () => {
  const passed = { status: 'passed', fullName: 'refuses it' };
  const all: readonly AttackFile[] = kinds.flatMap(([, paths]) => paths.map((path) => ({ path, tests: [passed] })));
  const [first] = kinds;
  const [kind = '', [path = ''] = []] = first ?? [];
  const inFirst = (tests: AttackFile['tests']) => all.map((file) => (file.path === path ? { path, tests } : file));

  test('is good where every kind was tried and nothing opened', () => {
    const { good, lines } = resultOf(all);

    expect(good).toBe(true);
    expect(lines).toHaveLength(kinds.length);
    expect(lines.filter((line) => !/: \d+ inputs, nothing opened$/.test(line))).toEqual([]);
  });

  test('counts the inputs that a test says', () => {
    const counted = inFirst([passed, { ...passed, meta: { inputs: 500 } }]);

    expect(resultOf(counted).lines[0]).toContain(`${kind}: ${501 + (first?.[1].length ?? 0) - 1} inputs`);
  });

  test('is bad where one opened, and names it', () => {
    const { good, lines } = resultOf(inFirst([{ status: 'failed', fullName: 'refuses that' }]));

    expect(good).toBe(false);
    expect(lines[1]).toBe('  refuses that');
  });

  test('is bad where a kind was not tried, or skipped', () => {
    const paths: readonly string[] = first?.[1] ?? [];
    const without = all.filter((file) => !paths.includes(file.path));
    const skipped = all.map((file) =>
      paths.includes(file.path) ? { ...file, tests: [{ status: 'skipped', fullName: 'refuses it' }] } : file,
    );

    for (const files of [without, skipped]) {
      expect(resultOf(files).good).toBe(false);
      expect(resultOf(files).lines[0]).toBe(`${kind}: NOT TRIED`);
    }
  });
});
