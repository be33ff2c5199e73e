import { readdirSync, readFileSync } from 'node:fs';

/**
 * How much CPU processes have used, by the account of the kernel: the nanoseconds of /proc/<pid>/task/<tid>/schedstat
 * summed over the threads, of the processes and of all their children (nginx's workers, Python's forks).
 *
 * That account forgets a thread when it ends. The one of the process, in /proc/<pid>/stat, does not, but it counts
 * ticks of 10 ms: it stands in where a thread or a process ended between two readings.
 */

const NANOSECONDS_PER_TICK = 10_000_000;

/**
 * Begins to count.
 *
 * @param {readonly number[]} pids
 * @returns {() => number} nanoseconds since then
 */
export function startMeter(pids) {
  const before = readTree(pids);
  return () => {
    const after = readTree(pids);
    let nanoseconds = 0;
    for (const [pid, now] of after) nanoseconds += used(before.get(pid), now);
    return nanoseconds;
  };
}

function used(before, now) {
  const threads = before?.threads ?? new Map();
  const ended = [...threads.keys()].some((tid) => !now.threads.has(tid));
  const childEnded = now.reapedTicks !== (before?.reapedTicks ?? 0);
  let nanoseconds = 0;
  if (ended) nanoseconds = (now.ownTicks - before.ownTicks) * NANOSECONDS_PER_TICK;
  else for (const [tid, ran] of now.threads) nanoseconds += ran - (threads.get(tid) ?? 0);
  // Of children that came and went only this is left.
  if (childEnded) nanoseconds += (now.reapedTicks - (before?.reapedTicks ?? 0)) * NANOSECONDS_PER_TICK;
  return nanoseconds;
}

function readTree(pids) {
  const found = new Map();
  const waiting = [...pids];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    if (found.has(pid)) continue;
    const process = readProcess(pid);
    if (process === undefined) continue;
    found.set(pid, process);
    waiting.push(...process.children);
  }
  return found;
}

function readProcess(pid) {
  try {
    const threads = new Map();
    const children = [];
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      const [ran = '0'] = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ');
      threads.set(tid, Number(ran));
      const list = readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8').trim();
      if (list !== '') children.push(...list.split(' ').map(Number));
    }
    // The name of the program, in brackets, may hold anything; the numbers begin behind it with field 3.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [user, system, reapedUser, reapedSystem] = fields.slice(11, 15).map(Number);
    return { threads, children, ownTicks: user + system, reapedTicks: reapedUser + reapedSystem };
  } catch {
    return undefined; // it ended while it was looked at
  }
}
