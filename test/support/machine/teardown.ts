import { onTestFinished } from 'vitest';

/** Teardowns of what was started outside of a test, in a `beforeAll`. */
const pending: Array<() => Promise<void>> = [];

/** Runs `stop` after the current test, or after the test file if no test is running. */
export function atEnd(stop: () => Promise<void>): void {
  try {
    onTestFinished(stop);
  } catch {
    pending.push(stop);
  }
}

/**
 * Ends what was started outside of a test, what was started last first: it may need what was there before.
 * test/support/machine/setup.ts calls it after each file.
 */
export async function endFile(): Promise<void> {
  for (const stop of pending.splice(0).toReversed()) await stop();
}
