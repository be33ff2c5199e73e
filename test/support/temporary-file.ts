import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './teardown.ts';

/** A file of its own with this content, in a directory of its own; both go with the test, or the test file. */
export function temporaryFile(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'oncegate-file-'));
  atEnd(async () => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'file');
  writeFileSync(path, content);
  return path;
}
