import { chownSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

/**
 * Writes a file that only its owner may read, whole or not at all: a reader sees the old one or the new
 * one. It keeps its owner: what root writes, a service that runs as another user has to be able to read.
 */
export function replaceFile(path: string, content: string): void {
  const scratch = `${path}.${process.pid}.tmp`;
  const old = statSync(path, { throwIfNoEntry: false });
  try {
    writeFileSync(scratch, content, { mode: 0o600 });
    if (old !== undefined) chownSync(scratch, old.uid, old.gid);
    renameSync(scratch, path);
  } catch (error) {
    rmSync(scratch, { force: true });
    throw error;
  }
}
