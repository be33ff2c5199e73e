import { unlessAborted } from './unless-aborted.ts';

/** The longest delay that a timer takes, some 25 days (HTML standard: a signed 32-bit integer). A longer one fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Resolves after `delayMs`, at most 25 days. Rejects with the signal's reason as soon as that is aborted. */
export async function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(delayMs, MAX_DELAY_MS));
  });
  try {
    await unlessAborted(signal, over);
  } finally {
    clearTimeout(timer);
  }
}
