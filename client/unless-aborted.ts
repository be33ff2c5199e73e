/** What a promise settles with, or the signal's reason as soon as that is aborted. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const settled = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { signal: settled.signal });
    work.then(resolve, reject);
  }).finally(() => settled.abort());
}
