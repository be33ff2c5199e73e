import { type CloseReason, closeCodes } from '../../../shared/close-codes.ts';
import type { Wire } from '../wires/wire.ts';
import { flatString } from './flat-string.ts';

export interface ConnectionOptions {
  /** The ticket id. */
  readonly id: string;
  readonly attemptId: string;
  readonly subject: string;
  /** Unix ms by the store's clock. */
  readonly openedAt: number;
  /** Unix ms by the store's clock. */
  readonly sessionExpiresAt: number;
  readonly wire: Wire;
  /** This machine's monotonic clock at the time of opening, ms. */
  readonly now: number;
}

/** How long a client may take to answer a Close frame before its socket is ended. */
const CLOSE_TIMEOUT_MS = 2_000;

/** A ping that has not been answered. */
interface Ping {
  isWritten: boolean;
  /** Since when its answer is waited for. */
  writtenAt: number | undefined;
  /** When the client last took bytes that are before the ping. */
  progressAt: number;
  taken: number;
}

/** How long before its end a session's lease is renewed once more: the command of a renewal may have been lost. */
const LAST_LOOK_MS = 2_000;

/**
 * An open connection that a ticket bought: its state, and what is due when. It has no timer: its owner calls
 * {@link Connection.tick}. Times are kept relative to its opening, so that the clocks of the store and of this
 * machine need not agree.
 */
export class Connection {
  readonly id: string;
  readonly attemptId: string;
  readonly subject: string;
  readonly openedAt: number;
  readonly #wire: Wire;
  readonly #start: number;
  #sessionExpiresAt: number;
  #heardAt: number;
  #ping: Ping | undefined;
  #leasedAt: number;
  #bytesRead: number | undefined;
  #closing: { readonly reason: CloseReason; readonly terminateAt: number; readonly isLate: boolean } | undefined;

  constructor(options: ConnectionOptions) {
    this.id = flatString(options.id);
    this.attemptId = flatString(options.attemptId);
    this.subject = options.subject;
    this.openedAt = options.openedAt;
    this.#wire = options.wire;
    this.#start = options.now;
    this.#sessionExpiresAt = options.sessionExpiresAt;
    this.#heardAt = options.now;
    this.#leasedAt = options.now;
  }

  /** Unix ms by the store's clock. */
  get sessionExpiresAt(): number {
    return this.#sessionExpiresAt;
  }

  /** Why the gateway closes it; undefined while it does not. */
  get closing(): CloseReason | undefined {
    return this.#closing?.reason;
  }

  /** Why the gateway closes it, if the gateway closed before the client or the upstream did. */
  get cause(): CloseReason | undefined {
    return this.#closing?.isLate === false ? this.#closing.reason : undefined;
  }

  /** Changes the end of the session. */
  renew(sessionExpiresAt: number): void {
    this.#sessionExpiresAt = sessionExpiresAt;
  }

  /** The client has sent something, so it is alive. */
  heard(now: number): void {
    this.#heardAt = now;
    this.#ping = undefined;
  }

  leaseDue(now: number, everyMs: number): boolean {
    if (this.#closing !== undefined) return false;
    const lastLook = this.#end - LAST_LOOK_MS;
    return now - this.#leasedAt >= everyMs || (this.#leasedAt < lastLook && now >= lastLook);
  }

  /** The lease was renewed. */
  leased(now: number): void {
    this.#leasedAt = now;
  }

  /** Closes it for a reason of the table. Only the first call has an effect. */
  close(reason: CloseReason, now: number, detail = ''): void {
    if (this.#closing !== undefined) return;
    this.#closing = { reason, terminateAt: now + CLOSE_TIMEOUT_MS, isLate: this.#wire.closed === true };
    this.#wire.close(closeCodes[reason].code, reason + detail);
  }

  terminate(): void {
    this.#wire.terminate();
  }

  /** When the session ends, by this machine's monotonic clock. */
  get #end(): number {
    return this.#start + this.#sessionExpiresAt - this.openedAt;
  }

  /** Does what is due: sends a ping, ends the session, closes after a ping time-out. */
  tick(now: number, heartbeatMs: number): void {
    if (this.#closing !== undefined) {
      if (now >= this.#closing.terminateAt) this.#wire.terminate();
      return;
    }
    const { bytesRead } = this.#wire;
    if (bytesRead !== this.#bytesRead) {
      this.#bytesRead = bytesRead;
      this.heard(now);
    }
    if (now >= this.#end) {
      this.close('session_expired', now);
    } else if (this.#ping !== undefined) {
      this.#await(this.#ping, now, heartbeatMs);
    } else if (now - this.#heardAt >= heartbeatMs) {
      const { taken } = this.#wire.sent;
      const ping: Ping = { isWritten: false, writtenAt: undefined, progressAt: now, taken };
      this.#ping = ping;
      this.#wire.ping(() => {
        ping.isWritten = true;
      });
      if (ping.isWritten) ping.writtenAt = now;
    }
  }

  /**
   * Closes after a ping time-out. The time runs from when the ping was written. Until then other bytes are before
   * it, and the client counts as alive while it takes them.
   */
  #await(ping: Ping, now: number, heartbeatMs: number): void {
    if (ping.isWritten) {
      ping.writtenAt ??= now;
      if (now - ping.writtenAt < heartbeatMs) return;
      return this.close(this.#wire.stalled ? 'slow_consumer' : 'heartbeat_missed', now);
    }
    const { taken, left } = this.#wire.sent;
    if (taken !== ping.taken) {
      ping.taken = taken;
      ping.progressAt = now;
    } else if (now - ping.progressAt >= heartbeatMs) {
      // If the client has taken everything, the upstream has not sent the rest of a frame.
      this.close(left > 0 ? 'slow_consumer' : 'upstream_lost', now);
    }
  }
}
