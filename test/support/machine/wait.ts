import { setTimeout as pause } from 'node:timers/promises';

export interface UntilOptions {
  /** How long to keep asking, in ms. The default is far from any limit: a busy machine is no failure. */
  readonly timeoutMs?: number;
  /** Pause between two questions, in ms. */
  readonly everyMs?: number;
  /** What is waited for, for the message of the failure. */
  readonly what?: string;
}

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>;

/**
 * Asks until the answer is truthy, and returns it. A condition that throws is asked again: what it
 * threw last is the cause of the failure when time is up.
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
