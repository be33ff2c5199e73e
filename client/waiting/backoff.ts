import type { Retry } from '../../shared/refusals.ts';

/** Bounds of the waits between attempts. */
export interface Backoff {
  /**
   * The longest wait after a first failure; each further failure doubles it. The end of an open connection counts as
   * a first failure. Milliseconds; default 500.
   */
  readonly baseMs?: number;
  /** No wait is longer, except if a `Retry-After` or a draining gateway asks for it. Milliseconds; default 30,000. */
  readonly maxMs?: number;
}

/** What a failure says about the next attempt. */
export interface Advice {
  readonly retry: Retry;
  /** The shortest wait, in seconds. Default: 0. */
  readonly retryAfter?: number | undefined;
  /** The seconds over which all clients of a draining gateway should come back. Default: 0. */
  readonly spreadSeconds?: number | undefined;
}

/**
 * How long to wait before the next attempt: exponential backoff with full jitter, so that clients that failed together
 * do not come back together.
 *
 * @param failures how many failures came before this one
 * @param random a random number in [0, 1)
 * @returns milliseconds; null if there must be no next attempt
 */
export function nextWaitMs(advice: Advice, failures: number, backoff: Backoff, random: number): number | null {
  const { retry, retryAfter = 0, spreadSeconds = 0 } = advice;
  const { baseMs = 500, maxMs = 30_000 } = backoff;
  if (retry === 'never') return null;

  // A negative number, and whatever is no number, does not shorten the wait.
  const minimumMs = retryAfter > 0 ? retryAfter * 1000 : 0;
  const isAtOnce = retry === 'reissue' && failures === 0;
  const backoffMs = isAtOnce ? 0 : Math.min(maxMs, baseMs * 2 ** failures);
  return minimumMs + random * Math.max(backoffMs, spreadSeconds * 1000);
}
