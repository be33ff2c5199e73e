import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/machine/temporary-file.ts';

const root = resolve(import.meta.dirname, '..', '..');
const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));

test('npm pack builds what has not been built', () => {
  const copy = temporaryDirectory();
  const sources = [
    'services',
    'shared',
    'client',
    'playground',
    'scripts',
    'docs',
    'package.json',
    'package-lock.json',
  ];
  for (const name of [...sources, 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'CHANGELOG.md', 'LICENSE']) {
    // With the times of the originals: packages that look older than the lock file are installed again.
    cpSync(join(root, name), join(copy, name), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  expect(existsSync(join(copy, 'dist'))).toBe(false);
  const output = execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: copy, encoding: 'utf8', stdio: 'pipe' });
  const packed =
    output
      .slice(output.indexOf('['))
      .match(/"path": "[^"]+"/g)
      ?.map((line) => line.slice(9, -1)) ?? [];
  const { bin, exports } = readJson('package.json');
  const needed = [bin.oncegate, ...Object.values(exports).flatMap((entry) => pathsIn(entry))];

  expect(packed.length).toBeGreaterThan(100);
  for (const path of needed) expect(packed).toContain(path.replace('./', ''));
  for (const program of ['gateway', 'ticket', 'standalone'])
    expect(packed).toContain(`dist/services/${program}/main.js`);
  expect(packed.filter((path) => dirname(path).startsWith('test'))).toEqual([]);
});

function pathsIn(entry: unknown): string[] {
  return typeof entry === 'string' ? [entry] : Object.values(entry ?? {}).flatMap(pathsIn);
}

test('the lock file has a checksum for each package, also for those of other platforms', () => {
  const packages: Record<string, { integrity?: string; link?: boolean }> = readJson('package-lock.json').packages;
  const without = Object.entries(packages).filter(([path, { integrity, link }]) => path !== '' && !link && !integrity);

  expect(without.map(([path]) => path)).toEqual([]);
});

test('images are built on a Node that engines names, and that is supported', () => {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

  expect(dockerfile).toMatch(/^ARG NODE_IMAGE=node:2[24]-bookworm-slim$/m);
  expect(dockerfile.match(/^FROM .*/gm)?.every((line) => /^FROM \$\{NODE_IMAGE\}/.test(line))).toBe(true);
  expect(readJson('package.json').engines.node).toBe('>=22.12');
});
