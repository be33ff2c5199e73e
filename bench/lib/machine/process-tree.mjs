import { readdirSync, readFileSync } from 'node:fs';

/** The ids of a process and of all its children, for example nginx's workers. */
export function processTree(pid) {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
      const list = readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8').trim();
      return list === '' ? [] : list.split(' ').map(Number);
    });
    return [pid, ...children.flatMap(processTree)];
  } catch {
    return []; // it ended meanwhile
  }
}
