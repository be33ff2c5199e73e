import { readdirSync, readFileSync } from 'node:fs';

/** A process and all its children: nginx's workers, for one. */
export function processTree(pid) {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
      const list = readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8').trim();
      return list === '' ? [] : list.split(' ').map(Number);
    });
    return [pid, ...children.flatMap(processTree)];
  } catch {
    return []; // it ended while it was looked at
  }
}
