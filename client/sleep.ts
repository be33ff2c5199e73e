import { unlessAborted } from './unless-aborted.ts';

/** The longest delay that a timer takes (HTML standard: a signed 32-bit number). */
const MAX_MS = 2_147_483_647;

/** Resolves after a while; rejects with the signal's reason as soon as that is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_MS));
  });
  return unlessAborted(signal, over).finally(() => clearTimeout(timer));
}
