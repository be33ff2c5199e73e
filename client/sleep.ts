/** The longest delay that a timer takes (HTML standard: a signed 32-bit number). */
const MAX_MS = 2 ** 31 - 1;

/** Resolves after a while; rejects with the signal's reason as soon as that is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', stop);
        resolve();
      },
      Math.min(ms, MAX_MS),
    );
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
  });
}
