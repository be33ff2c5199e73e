import { readdirSync, readFileSync } from 'node:fs';
import { processTree } from './process-tree.mjs';

/**
 * CPU time of processes and all their children (nginx's workers, Python's forks), as the kernel accounts for it: the
 * nanoseconds in /proc/<pid>/task/<tid>/schedstat, summed over the threads.
 *
 * schedstat loses a thread when it ends. /proc/<pid>/stat keeps its time, but in ticks of 10 ms. If stat shows more
 * than rounding explains, some thread has ended, and stat counts instead. Only stat has the time of ended children.
 */

const NANOSECONDS_PER_TICK = 10_000_000;
/** User time and system time are each rounded, at both readings. */
const ROUNDING_TICKS = 4;

/**
 * Starts counting.
 *
 * @param {readonly number[]} pids
 * @returns {() => number} a function that returns the nanoseconds since; it throws if one of the processes has ended
 */
export function startMeter(pids) {
  const before = readAll(pids);
  return () => {
    const after = readAll(pids);
    const gone = pids.find((pid) => !after.has(pid));
    if (gone !== undefined) throw new Error(`process ${gone} ended while it was measured`);
    let nanoseconds = 0;
    for (const [pid, now] of after) nanoseconds += used(before.get(pid) ?? NOTHING, now);
    return nanoseconds;
  };
}

const NOTHING = { threads: new Map(), ownTicks: 0, reapedTicks: 0 };

function used(before, now) {
  let byThreads = 0;
  for (const [tid, ran] of now.threads) byThreads += ran - (before.threads.get(tid) ?? 0);
  const byProcess = (now.ownTicks - before.ownTicks) * NANOSECONDS_PER_TICK;
  const own = byProcess - byThreads > ROUNDING_TICKS * NANOSECONDS_PER_TICK ? byProcess : byThreads;
  return own + (now.reapedTicks - before.reapedTicks) * NANOSECONDS_PER_TICK;
}

function readAll(pids) {
  const processes = [...new Set(pids.flatMap(processTree))].map((pid) => [pid, readProcess(pid)]);
  return new Map(processes.filter(([, process]) => process !== undefined));
}

function readProcess(pid) {
  try {
    const threads = new Map();
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      const [ran = '0'] = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ');
      threads.set(tid, Number(ran));
    }
    // The program's name, in brackets, may contain anything; field 3 follows it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [user, system, reapedUser, reapedSystem] = fields.slice(11, 15).map(Number);
    return { threads, ownTicks: user + system, reapedTicks: reapedUser + reapedSystem };
  } catch {
    return undefined; // it ended meanwhile
  }
}
