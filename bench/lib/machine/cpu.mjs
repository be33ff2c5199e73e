import { readdirSync, readFileSync } from 'node:fs';
import { processTree } from './process-tree.mjs';

/**
 * How much CPU processes have used, by the account of the kernel: the nanoseconds of /proc/<pid>/task/<tid>/schedstat
 * summed over the threads, of the processes and of all their children (nginx's workers, Python's forks).
 *
 * That account forgets a thread when it ends. The one of the process, in /proc/<pid>/stat, does not, but it counts
 * ticks of 10 ms. Where it has seen more than rounding explains, some thread came and went, and it is believed
 * instead. Children that came and went are in it alone.
 */

const NANOSECONDS_PER_TICK = 10_000_000;
/** User and system time are rounded apart, at both readings. */
const ROUNDING_TICKS = 4;

/**
 * Begins to count.
 *
 * @param {readonly number[]} pids
 * @returns {() => number} nanoseconds since then; throws where one of the processes is gone
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
    // The name of the program, in brackets, may hold anything; the numbers begin behind it with field 3.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [user, system, reapedUser, reapedSystem] = fields.slice(11, 15).map(Number);
    return { threads, ownTicks: user + system, reapedTicks: reapedUser + reapedSystem };
  } catch {
    return undefined; // it ended while it was looked at
  }
}
