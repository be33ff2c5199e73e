import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceFile } from '../../../shared/files/replace-file.ts';
import { temporaryFile } from '../../support/machine/temporary-file.ts';

test('a file is replaced by another that only its owner may read', () => {
  const path = temporaryFile('old');
  const before = statSync(path);
  replaceFile(path, 'new');
  const after = statSync(path);

  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(after.mode & 0o777).toBe(0o600);
  expect(after.ino).not.toBe(before.ino);
  expect([after.uid, after.gid]).toEqual([before.uid, before.gid]);
});

test('a file that was not there is made', () => {
  const path = temporaryFile('old');
  rmSync(path);
  replaceFile(path, 'new');

  expect(readFileSync(path, 'utf8')).toBe('new');
});

test('what cannot be replaced stays as it was, and nothing lies beside it', () => {
  const inside = temporaryFile('old');
  const directory = dirname(inside);
  writeFileSync(join(directory, 'other'), '');

  expect(() => replaceFile(directory, 'new')).toThrow();
  expect(readFileSync(inside, 'utf8')).toBe('old');
  expect(existsSync(`${directory}.${process.pid}.tmp`)).toBe(false);
});
