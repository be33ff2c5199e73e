import { unlessAborted } from './unless-aborted.ts';

/** Some 23 days, a day less than the longest delay that a timer takes (HTML standard: a signed 32-bit number). */
const MAX_MS = 2e9;

/** Resolves after a while; rejects with the signal's reason as soon as that is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_MS));
  });
  return unlessAborted(signal, over).finally(() => clearTimeout(timer));
}
