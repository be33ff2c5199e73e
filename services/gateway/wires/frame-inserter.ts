import { type FrameHeader, FrameScanner } from './frame-scanner.ts';
import { closeFrame, PING } from './own-frames.ts';

/**
 * How far the stream to a client has come.
 *
 * | from    | to        | when                                                                  |
 * | ------- | --------- | --------------------------------------------------------------------- |
 * | open    | closing   | the gateway closes: its Close frame waits for a boundary              |
 * | open    | closed    | a Close frame of the sender's was passed on                           |
 * | closing | closed    | the gateway's Close frame was inserted                                |
 * | any     | ended     | the stream was ended, with or without a Close frame                   |
 */
export type StreamPhase = 'open' | 'closing' | 'closed' | 'ended';

/** What a client is sent, in this order, for some bytes of the sender's. */
export interface Passed {
  /** The sender's bytes; if own frames follow, up to a boundary. */
  readonly pass: Buffer;
  /** The gateway's own frames, if any are due, and the sender's bytes behind them. */
  readonly inserted?: { readonly own: readonly Buffer[]; readonly behind: Buffer };
  /** Whether a frame of the sender's was not taken: neither it nor anything behind it is sent. */
  readonly stopped: boolean;
}

const NOTHING = Buffer.alloc(0);
// The same for every connection: few of them ever have a frame that waits.
const NONE: readonly Buffer[] = [];
const NOTHING_PASSED: Passed = { pass: NOTHING, stopped: false };

/**
 * Inserts the gateway's own frames, a ping or a Close, into the stream of frames that somebody else sends to
 * a client. An own frame is inserted between two frames of the sender's and never inside one. Nothing follows
 * a Close frame, whoever sent it (RFC 6455 §5.5.1): browsers fail a connection otherwise.
 */
export class FrameInserter {
  readonly #scanner: FrameScanner;
  #waiting: readonly Buffer[] = NONE;
  #phase: StreamPhase = 'open';

  /** @param takes called for every frame of the sender's; returns whether it may be passed on */
  constructor(takes: (header: FrameHeader) => boolean) {
    this.#scanner = new FrameScanner(takes);
  }

  get phase(): StreamPhase {
    return this.#phase;
  }

  /** Whether the client has been sent whole frames so far. */
  get atBoundary(): boolean {
    return this.#scanner.atBoundary;
  }

  /** Adds a ping, unless one is waiting already. The next {@link pass} that finds a boundary inserts it. */
  ping(): void {
    if (this.#phase === 'open' && !this.#waiting.includes(PING)) this.#waiting = [...this.#waiting, PING];
  }

  /** Adds the gateway's Close frame. The next {@link pass} that finds a boundary inserts it, and drops the rest. */
  close(code: number, reason: string): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'closing';
    this.#waiting = [...this.#waiting, closeFrame(code, reason)];
  }

  /** The stream is ended: nothing more is passed on. */
  end(): void {
    this.#phase = 'ended';
    this.#waiting = NONE;
  }

  /**
   * Takes the sender's next bytes, and inserts the frames that wait at the first boundary in them. Without any
   * bytes it inserts them now, if the client has whole frames so far.
   */
  pass(bytes: Buffer = NOTHING): Passed {
    if (this.#phase === 'closed' || this.#phase === 'ended') return NOTHING_PASSED;
    const scanned = this.#scanner.scan(bytes);
    const own = scanned.boundary < 0 ? NONE : this.#waiting;
    const closes = this.#phase === 'closing' && own.length > 0;
    if (scanned.closed || closes) this.#phase = 'closed';
    if (own.length === 0) return scanned;
    this.#waiting = NONE;
    const { pass, boundary, stopped } = scanned;
    const behind = closes ? NOTHING : pass.subarray(boundary);
    return { pass: pass.subarray(0, boundary), inserted: { own, behind }, stopped };
  }
}
