import { createException } from './exception.ts';

/**
 * Settles as `work` does, or rejects with the signal's reason if that is aborted first, or is already. Leaves no
 * listener on the signal.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T>;
export async function unlessAborted(signal: AbortSignal): Promise<void>;
export async function unlessAborted<T>(signal: AbortSignal, work?: Promise<T>): Promise<T | undefined> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    // The signals of React Native have no reason.
    onAbort = () => reject(signal.reason ?? createException('aborted', 'AbortError'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
