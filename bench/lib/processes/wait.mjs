export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits until something holds.
 *
 * @param {() => unknown} holds a promise of a truthy value, or a value; what throws does not hold yet
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
