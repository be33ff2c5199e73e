import type { Retry } from '../../shared/refusals.ts';

/** How long to wait between attempts. */
export interface Backoff {
  /**
   * The wait after a first refusal is at most this long, after each further failure at most twice as long as
   * before. That a connection ended is a first failure. Milliseconds; default 500.
   */
  readonly baseMs?: number;
  /** No wait is longer, beside what a `Retry-After` or a draining gateway asks for. Milliseconds; default 30,000. */
  readonly maxMs?: number;
}

/** What a failure says about the next attempt. */
export interface Advice {
  readonly retry: Retry;
  /** Seconds to wait at least. */
  readonly retryAfter?: number | undefined;
  /** Seconds of which to wait a random part. */
  readonly spreadSeconds?: number | undefined;
}

/**
 * Milliseconds until the next attempt, or null where there is none: exponential, with full jitter, so
 * that clients which failed together do not come back together.
 *
 * @param failures how many failures went before this one
 * @param random in [0, 1)
 */
export function nextWaitMs(
  { retry, retryAfter = 0, spreadSeconds = 0 }: Advice,
  failures: number,
  { baseMs = 500, maxMs = 30_000 }: Backoff,
  random: number,
): number | null {
  if (retry === 'never') return null;
  const backoffMs = retry === 'reissue' && failures === 0 ? 0 : Math.min(maxMs, baseMs * 2 ** failures);
  // What others ask for never makes it shorter.
  return (retryAfter > 0 ? retryAfter * 1000 : 0) + random * Math.max(backoffMs, spreadSeconds * 1000);
}
