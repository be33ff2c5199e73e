export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits until a condition holds.
 *
 * @param {() => unknown} holds returns, or resolves with, a truthy value once the condition holds; if it throws, the condition does not hold yet
 * @param {{ what: string, timeoutMs?: number }} options
 */
export async function until(holds, { what, timeoutMs = 15_000 }) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const held = await Promise.resolve()
      .then(holds)
      .catch(() => false);
    if (held) return held;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(20);
  }
}
