const TICK_MS = 10;

/**
 * How long a promise takes to settle, by a clock that stands still while this process does: it counts
 * turns of the event loop. A busy machine makes it slower and never faster, so an upper bound on what
 * happens inside this process holds on every machine.
 *
 * @returns ms of that clock, at most those that have passed
 */
export async function msInThisProcess(settling: Promise<unknown>): Promise<number> {
  let ms = 0;
  const clock = setInterval(() => {
    ms += TICK_MS;
  }, TICK_MS);
  await settling.catch(() => {});
  clearInterval(clock);
  return ms;
}

/** The CPU time in ms that a piece of synchronous work takes, as the least of several rounds. */
export function cpuMs(work: () => void, rounds = 5): number {
  const costs = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...costs);
}
