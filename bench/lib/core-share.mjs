import { readFileSync } from 'node:fs';

/**
 * Begins to look at how full the machine is, whoever fills it.
 *
 * @returns {() => number} the share of all cores' time since then that was not idle, 0..1
 */
export function startShareMeter() {
  const before = readTicks();
  return () => {
    const after = readTicks();
    return (after.busy - before.busy) / (after.busy - before.busy + after.idle - before.idle);
  };
}

function readTicks() {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  const [user, nice, system, idle, ioWait, ...interrupts] = first.split(/\s+/).slice(1, 9).map(Number);
  return { busy: user + nice + system + interrupts.reduce((sum, ticks) => sum + ticks, 0), idle: idle + ioWait };
}
