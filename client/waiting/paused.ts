import { sleep } from './sleep.ts';

/** How often the client looks whether it may go on. */
const POLL_MS = 500;

/** Whether the browser has frozen the page (Page Lifecycle). Workers and Node have no document: they never are. */
let frozen = false;
globalThis.document?.addEventListener('freeze', () => {
  frozen = true;
});
globalThis.document?.addEventListener('resume', () => {
  frozen = false;
});

/** Whether an attempt would be in vain: the browser is offline, or the page is frozen. */
export function isPaused(): boolean {
  return frozen || globalThis.navigator?.onLine === false;
}

/** Resolves once the browser is online and the page not frozen. Rejects with the signal's reason if that is aborted. */
export async function untilResumed(signal: AbortSignal): Promise<void> {
  while (isPaused()) await sleep(POLL_MS, signal);
}
