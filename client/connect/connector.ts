import { ConnectRefused } from '../errors/connect-refused.ts';
import type { ConnectionEnded } from '../errors/connection-ended.ts';
import type { ConnectOptions } from '../options.ts';
import { createTicketService, type TicketService } from '../tickets/ticket-service.ts';
import { type Advice, nextWaitMs } from '../waiting/backoff.ts';
import { isPaused, untilResumed } from '../waiting/paused.ts';
import { sleep } from '../waiting/sleep.ts';
import { unlessAborted } from '../waiting/unless-aborted.ts';
import { attempt } from './attempt.ts';
import type { StateListener } from './state.ts';

/** A connection that was open for longer makes up for the failures before it. */
const STABLE_MS = 5_000;

/** Makes attempts until one opens or none is left, and waits between them. */
export class Connector<Socket> {
  readonly service: TicketService;
  readonly #options: ConnectOptions<Socket>;
  readonly #signal: AbortSignal;
  readonly #onState: StateListener;
  /** Failures in a row. */
  #failures = 0;
  #openedAt = 0;
  /** The user signs in, or has done so. Undefined since a request has succeeded. */
  #login: Promise<void> | undefined;
  #hasSignedIn = false;

  /** @param signal ends everything: all that is pending rejects with its reason */
  constructor(options: ConnectOptions<Socket>, signal: AbortSignal, onState: StateListener = () => {}) {
    this.#options = options;
    this.#signal = signal;
    this.#onState = onState;
    this.service = createTicketService(options, signal, () => {
      this.#login = undefined;
      this.#hasSignedIn = false;
    });
  }

  /**
   * Resolves with an open socket.
   *
   * @param attempts how many attempts may be made, the first included
   * @throws {ConnectRefused} of the last attempt
   */
  async open(attempts: number): Promise<Socket> {
    let attemptsLeft = attempts;
    for (;;) {
      if (isPaused()) this.#onState('paused');
      await untilResumed(this.#signal);
      await unlessAborted(this.#signal);
      this.#onState('issuing');
      try {
        const socket = await attempt(this.#options, this.service, this.#signal, this.#onState);
        this.#openedAt = Date.now();
        return socket;
      } catch (error) {
        if (!(error instanceof ConnectRefused)) throw error;
        // No ticket was issued, so this was no attempt yet.
        if (await this.signIn(error)) continue;

        // The 401 may have answered the question why. With `tickets` of the application's own, which may succeed all
        // the same, the user would be asked again after every attempt.
        const { cause } = error;
        const isOwn = typeof this.#options.tickets !== 'function';
        if (isOwn && cause instanceof ConnectRefused) await this.signIn(cause);

        attemptsLeft -= 1;
        if (!(attemptsLeft > 0)) throw error;
        await this.#wait(error, error);
      }
    }
  }

  /** Waits after the end of an open connection. Whether to come back is decided already. */
  recover(ended: ConnectionEnded): Promise<void> {
    const wasStable = Date.now() - this.#openedAt > STABLE_MS;
    // Never at once, not even with `reissue`: what ended this connection has ended others with it.
    if (wasStable || this.#failures === 0) this.#failures = 1;
    return this.#wait(ended, { retry: 'backoff', spreadSeconds: ended.spreadSeconds });
  }

  /**
   * Has the user sign in, if that is what is missing. Everybody who asks meanwhile waits for the same login.
   *
   * @returns false if signing in is not the answer, or was not the answer the last time
   */
  async signIn(refused: ConnectRefused): Promise<boolean> {
    const { onUnauthenticated } = this.#options;
    const isUnauthenticated = /^credentials_/.test(refused.code);
    if (!isUnauthenticated || !onUnauthenticated || this.#hasSignedIn) return false;
    this.#onState('signing_in', { reason: refused });
    const login = async () => {
      await onUnauthenticated(refused);
      this.#hasSignedIn = true;
    };
    this.#login ??= login();
    await unlessAborted(this.#signal, this.#login);
    return true;
  }

  async #wait(reason: Error, advice: Advice): Promise<void> {
    const waitMs = nextWaitMs(advice, this.#failures, this.#options.backoff ?? {}, Math.random());
    this.#failures += 1;
    if (waitMs === null) throw reason;
    this.#onState('waiting', { reason, waitMs });
    await sleep(waitMs, this.#signal);
  }
}
