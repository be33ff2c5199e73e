import { chownSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

/**
 * Replaces a file atomically: a reader sees the old content or the new. Only the owner may read the file. The
 * owner stays the same, so that a service can read what root has written.
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
