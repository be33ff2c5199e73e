import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/machine/temporary-file.ts';

const root = resolve(import.meta.dirname, '..', '..');

const FILES = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
const FOLDERS = ['services', 'shared', 'client', 'playground', 'scripts'];

/** A copy of the sources that uses the installed packages of this project. */
function copiedTree(): string {
  const tree = temporaryDirectory();
  for (const name of [...FILES, ...FOLDERS]) cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

function build(tree: string): SpawnSyncReturns<string> {
  const script = `import('./scripts/lib/build.mjs').then(({ build }) => build())`;
  return spawnSync(process.execPath, ['-e', script], { cwd: tree, encoding: 'utf8' });
}

test('builds once and prints no line of the bundler, but its errors', { timeout: 600_000 }, () => {
  const tree = copiedTree();
  const source = join(tree, 'playground', 'frame.ts');
  const good = readFileSync(source, 'utf8');

  // tsc does not compile this file, so the bundler has to report the error, after tsc has filled dist/.
  appendFileSync(source, "\nimport './absent.ts';\n");
  const failed = build(tree);
  expect([failed.status, failed.stdout]).toEqual([1, 'oncegate: building\n']);
  expect(failed.stderr).toContain("Could not resolve './absent.ts'");
  expect(failed.stderr).toMatch(/^oncegate: failed: .*rolldown playground\/frame\.ts/m);

  // What the failed build left in dist/ is not taken for a good build.
  writeFileSync(source, good);
  const first = build(tree);
  expect([first.status, first.stdout, first.stderr]).toEqual([0, 'oncegate: building\n', '']);
  expect(readFileSync(join(tree, 'dist', 'playground', 'frame.js'), 'utf8')).not.toBe('');

  const built = join(tree, 'dist', 'services', 'ticket', 'main.js');
  const { mtimeMs, ino } = statSync(built);
  const second = build(tree);
  expect([second.status, second.stdout, second.stderr]).toEqual([0, '', '']);
  expect(statSync(built)).toMatchObject({ mtimeMs, ino });
});
