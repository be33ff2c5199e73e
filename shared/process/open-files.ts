import { readFileSync } from 'node:fs';

/** How many files this process may have open, of which each socket is one; undefined where that is not told (not Linux). */
export function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
