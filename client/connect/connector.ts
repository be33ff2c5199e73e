import { ConnectRefused } from '../errors/connect-refused.ts';
import type { ConnectionEnded } from '../errors/connection-ended.ts';
import type { ConnectOptions } from '../options.ts';
import { ticketService } from '../tickets/ticket-service.ts';
import { type Advice, nextWaitMs } from '../waiting/backoff.ts';
import { sleep } from '../waiting/sleep.ts';
import { unlessAborted } from '../waiting/unless-aborted.ts';
import { attempt } from './attempt.ts';

/** What a connector does: asks for a ticket, opens a socket with it, waits for the user, for a while, or for the network. */
export type ConnectorState = 'issuing' | 'connecting' | 'signing_in' | 'waiting' | 'paused';

/** What is told with a state. */
export interface StateReason {
  /** Why: a `ConnectRefused`, a `ConnectionEnded`, or what a signal was aborted with. Undefined where all is well. */
  readonly reason?: unknown;
  /** With `waiting`: milliseconds until the next attempt. */
  readonly waitMs?: number;
  /** With `connecting`: the id of the ticket that the attempt is made with. */
  readonly ticketId?: string;
}

/** A connection that stayed open for this long makes up for the failures before it. */
const STABLE_MS = 5_000;

/** How often it is looked whether the browser is back. */
const LOOK_MS = 500;

/** Whether the page is frozen (Page Lifecycle); a worker has no document, nor has Node. */
let frozen = false;
globalThis.document?.addEventListener('freeze', () => {
  frozen = true;
});
globalThis.document?.addEventListener('resume', () => {
  frozen = false;
});
const away = () => frozen || globalThis.navigator?.onLine === false;

export type Connector = ReturnType<typeof createConnector>;

/** Makes attempts until one opens or there is no point any more, and waits in between as it is told to. */
export function createConnector<Socket>(
  options: ConnectOptions<Socket>,
  signal: AbortSignal,
  onState: (state: ConnectorState, why?: StateReason) => void = () => {},
) {
  const { onUnauthenticated, backoff = {} } = options;
  let failures = 0;
  let openedAt = 0;
  let login: Promise<void> | null | undefined; // null once it is done
  // The credentials were taken: the next time that they are not, the user is asked again.
  const ask = ticketService(options, signal, () => (login = undefined));
  /** An open socket. Rejects with the last attempt's {@link ConnectRefused}, or the signal's reason. */
  async function open(attempts: number): Promise<Socket> {
    for (; ; attempts--) {
      if (away()) onState('paused');
      while (away()) await sleep(LOOK_MS, signal);
      signal.throwIfAborted();
      onState('issuing');
      try {
        const socket = await attempt(options, ask, signal, onState);
        openedAt = Date.now();
        return socket;
      } catch (error) {
        if (!(error instanceof ConnectRefused)) throw error;
        if (await signIn(error)) attempts++;
        else {
          // Perhaps it was the question why that nobody was signed in for. That attempt was one. With tickets of the
          // application's own, that somebody gets them says nothing about this question: it would ask for ever.
          if (typeof options.tickets !== 'function') await signIn(error.cause as ConnectRefused);
          await wait(error, attempts > 1 ? error : { retry: 'never' });
        }
      }
    }
  }

  /** Waits for as long as the end of an open connection asks. That it is come back from is decided already. */
  function recover(ended: ConnectionEnded): Promise<void> {
    // It comes back at once from no end: whatever ended this connection ended others with it.
    if (!failures || Date.now() - openedAt > STABLE_MS) failures = 1;
    return wait(ended, { ...ended, retry: 'backoff' });
  }

  /** Has the user sign in, where that is what is missing and was not done already. Who asks meanwhile waits with the first. */
  async function signIn(reason: ConnectRefused): Promise<boolean> {
    // The cause of a refusal may be none, and nothing at all.
    if (!/^credentials_/.test(reason?.code) || login === null || !onUnauthenticated) return false;
    onState('signing_in', { reason });
    login ??= (async () => {
      await onUnauthenticated(reason);
      login = null;
    })();
    await unlessAborted(signal, login);
    return true;
  }

  async function wait(reason: Error, advice: Advice): Promise<void> {
    const waitMs = nextWaitMs(advice, failures++, backoff, Math.random());
    if (waitMs === null) throw reason;
    onState('waiting', { reason, waitMs });
    await sleep(waitMs, signal);
  }

  return { ask, open, recover, signIn };
}
