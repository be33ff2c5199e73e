import { readFileSync } from 'node:fs';
import { processTree } from './process-tree.mjs';

/**
 * Memory of a process and all its children in KiB, as the kernel accounts for it: the proportional set size (a page
 * that several of them share counts once) and the sum of the resident sets. Socket buffers belong to the kernel.
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

/** How many files a process may have open. A relay needs two for each connection. */
export function openFilesLimit() {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? '1024';
  return limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(limit);
}
