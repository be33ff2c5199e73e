/** What a promise settles with, or the signal's reason as soon as that is aborted. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: () => void;
  return new Promise<T>((resolve, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    work.then(resolve, reject);
  }).finally(() => signal.removeEventListener('abort', stop));
}
