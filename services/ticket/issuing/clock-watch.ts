import type { Logger } from '../../../shared/process/log.ts';

/** A smaller difference harms nobody: tickets and sessions are counted by one clock, that of the store. */
const MAX_SKEW_MS = 5_000;
const WARN_EVERY_MS = 60_000;

/** Compares a time that the store told with the clock of this machine before and after the question, in Unix ms. */
export type ClockWatch = (told: number, before: number, after: number) => void;

/** Warns once a minute while the store's clock is more than five seconds from this machine's. */
export function createClockWatch(log: Logger): ClockWatch {
  let quietUntil = Number.NEGATIVE_INFINITY;
  return (told, before, after) => {
    const skewMs = told < before ? told - before : Math.max(0, told - after);
    if (Math.abs(skewMs) <= MAX_SKEW_MS || after < quietUntil) return;
    quietUntil = after + WARN_EVERY_MS;
    log.warn({ event: 'clock_skew', skew_ms: skewMs }, "the store's clock differs from this machine's");
  };
}
