import { onTestFinished } from 'vitest';

/** Ends of what was started outside of a test (in a `beforeAll`). */
const pending: Array<() => Promise<void>> = [];

/** Runs `stop` when the current test is over, or the test file where there is no current test. */
export function atEnd(stop: () => Promise<void>): void {
  try {
    onTestFinished(stop);
  } catch {
    pending.push(stop);
  }
}

/** Ends what was started outside of a test. */
export async function endFile(): Promise<void> {
  await Promise.all(pending.splice(0).map((stop) => stop()));
}
