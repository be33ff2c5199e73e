import { setTimeout as pause } from 'node:timers/promises';

export interface UntilOptions {
  /** The time limit in ms. The default is long enough for a busy machine. */
  readonly timeoutMs?: number;
  /** The pause between two attempts in ms. */
  readonly everyMs?: number;
  /** The condition in words, for the failure's message. */
  readonly what?: string;
}

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>;

/**
 * Calls a condition until it returns something truthy, and returns that. A condition that throws is tried again;
 * its last error is the cause of the failure after the time limit.
 */
export async function until<T>(condition: () => T | Promise<T>, options: UntilOptions = {}): Promise<Truthy<T>> {
  const { timeoutMs = 60_000, everyMs = 5, what = condition.toString() } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value) return value as Truthy<T>; // as was just seen
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause });
    await pause(everyMs);
  }
}
