import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { codeBlocks, readText, tableRows } from './pages.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readText('CONTRIBUTING.md');

/** The rows of "Where things are": a question, and the paths that answer it. */
const rows = tableRows(page).map(([question = '', answer = '']) => ({
  question,
  paths: [...answer.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
}));

describe('CONTRIBUTING.md', () => {
  test('answers ten questions of a newcomer and more, each by a path', () => {
    expect(rows.length).toBeGreaterThanOrEqual(10);
    expect(rows.filter(({ question, paths }) => !question.endsWith('?') || paths.length === 0)).toEqual([]);
  });

  test.each(rows)('$question', ({ paths }) => {
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('shows commands that package.json has', () => {
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> }; // npm's own format
    const shown = [
      ...codeBlocks(page, 'sh')
        .join('\n')
        .matchAll(/^npm (?:run )?([a-z:]+)/gm),
    ].map(([, name = '']) => name);
    const named = [...page.matchAll(/`npm (?:run )?([a-z:]+)/g)].map(([, name = '']) => name);
    expect(shown.length).toBeGreaterThan(3);
    expect([...shown, ...named].filter((name) => !(name in scripts))).toEqual([]);
  });
});
