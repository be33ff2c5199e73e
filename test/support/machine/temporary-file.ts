import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './teardown.ts';

/** Makes a temporary directory. It is removed with the test, or the test file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'oncegate-test-'));
  atEnd(async () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Makes a file with this content in a temporary directory of its own. */
export function temporaryFile(content: string): string {
  const path = join(temporaryDirectory(), 'file');
  writeFileSync(path, content);
  return path;
}
