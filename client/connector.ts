import { attempt, type Opened } from './attempt.ts';
import { type Advice, nextWaitMs } from './backoff.ts';
import type { ConnectionEnded } from './ended.ts';
import type { ConnectOptions } from './options.ts';
import { ConnectRefused } from './refused.ts';
import { sleep } from './sleep.ts';
import { TicketService } from './ticket-service.ts';

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

/** Makes attempts until one opens or there is no point any more, and waits in between as it is told to. */
export class Connector<Socket> {
  readonly service: TicketService;
  readonly #options: ConnectOptions<Socket>;
  readonly #signal: AbortSignal;
  readonly #onState: (state: ConnectorState, why?: StateReason) => void;
  #failures = 0;
  #signedIn = false;
  #openedAt = 0;
  #frozen = false;

  constructor(
    options: ConnectOptions<Socket>,
    signal: AbortSignal,
    onState: (state: ConnectorState, why?: StateReason) => void = () => {},
  ) {
    this.service = new TicketService(options, signal);
    this.#options = options;
    this.#signal = signal;
    this.#onState = onState;
    // Page Lifecycle; a worker has no document, nor has Node.
    for (const type of ['freeze', 'resume']) {
      globalThis.document?.addEventListener(type, () => (this.#frozen = type === 'freeze'), { signal });
    }
  }

  /** An open socket. Rejects with the last attempt's {@link ConnectRefused}, or the signal's reason. */
  async open(attempts: number): Promise<Opened<Socket>> {
    for (let left = attempts; ; ) {
      if (this.#away) this.#onState('paused');
      while (this.#away) await sleep(LOOK_MS, this.#signal);
      this.#signal.throwIfAborted();
      this.#onState('issuing');
      try {
        const opened = await attempt(this.#options, this.service, this.#signal, (ticketId) => {
          this.granted();
          this.#onState('connecting', { ticketId });
        });
        this.#openedAt = Date.now();
        return opened;
      } catch (error) {
        if (!(error instanceof ConnectRefused)) throw error;
        if (await this.signIn(error)) continue;
        left -= 1;
        await this.#wait(error, left > 0 ? error : { retry: 'never' });
      }
    }
  }

  /** Waits for as long as the end of an open connection asks. That it is come back from is decided: `never` counts as `backoff`. */
  recover(ended: ConnectionEnded): Promise<void> {
    if (Date.now() - this.#openedAt > STABLE_MS) this.#failures = 0;
    // It comes back at once from no end: whatever ended this connection ended others with it.
    this.#failures ||= 1;
    const { retry, spreadSeconds } = ended;
    return this.#wait(ended, { retry: retry === 'never' ? 'backoff' : retry, spreadSeconds });
  }

  /** The credentials were taken: the next time that they are not, the user is asked again. */
  granted(): void {
    this.#signedIn = false;
  }

  /** Has the user sign in, where that is what is missing and has not been asked for already. */
  async signIn(refused: ConnectRefused): Promise<boolean> {
    const { onUnauthenticated } = this.#options;
    if (!refused.code.startsWith('credentials_') || this.#signedIn || !onUnauthenticated) return false;
    this.#signedIn = true;
    this.#onState('signing_in', { reason: refused });
    await onUnauthenticated(refused);
    return true;
  }

  get #away(): boolean {
    return this.#frozen || globalThis.navigator?.onLine === false;
  }

  async #wait(reason: Error, advice: Advice): Promise<void> {
    const waitMs = nextWaitMs(advice, this.#failures++, this.#options.backoff ?? {}, Math.random());
    if (waitMs === null) throw reason;
    this.#onState('waiting', { reason, waitMs });
    await sleep(waitMs, this.#signal);
  }
}
