import { readFileSync } from 'node:fs';
import { processTree } from './process-tree.mjs';

/**
 * What processes and all their children hold, by the account of the kernel, in KiB: the proportional set size (a
 * page that several of them share counts once) and the sum of the resident sets. Socket buffers are the kernel's own.
 */
export function readMemory(pid) {
  const total = { pssKib: 0, rssKib: 0 };
  for (const each of processTree(pid)) {
    const text = readFileSync(`/proc/${each}/smaps_rollup`, 'utf8');
    total.pssKib += Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0);
    total.rssKib += Number(/^Rss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0);
  }
  return total;
}

/** How many files a process may have open here: twice as many as a relay can hold connections. */
export function openFilesLimit() {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? '1024';
  return limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(limit);
}
