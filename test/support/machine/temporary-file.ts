import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './teardown.ts';

/** A directory of its own, which goes with the test, or the test file, and all that is in it. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'oncegate-test-'));
  atEnd(async () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A file with this content, in a directory of its own. */
export function temporaryFile(content: string): string {
  const path = join(temporaryDirectory(), 'file');
  writeFileSync(path, content);
  return path;
}
