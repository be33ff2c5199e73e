import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const BENCH = join(ROOT, 'bench');

/** Paths of built modules that the bench imports, from the folder of the build. */
function builtModules(): string[] {
  const files = readdirSync(BENCH, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.mjs') && !path.includes('node_modules'),
  );
  const texts = files.map((path) => readFileSync(join(BENCH, path), 'utf8'));
  const paths = texts.flatMap((text) => [...text.matchAll(/built\('([^']+)'\)|\/dist\/([^']+\.js)'/g)]);
  return [...new Set(paths.map(([, called, imported]) => called ?? imported ?? ''))];
}

test('the bench imports only built modules that have a source', () => {
  const modules = builtModules();
  expect(modules).toContain('shared/ticket/ticket.js');
  expect(modules.filter((path) => !existsSync(join(ROOT, path.replace(/\.js$/, '.ts'))))).toEqual([]);
});
