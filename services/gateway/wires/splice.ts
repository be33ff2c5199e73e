import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ABNORMAL_CLOSURE } from '../../../shared/close-codes.ts';
import { type Corked, countInBurst, joinBurst } from './bursts.ts';
import { FrameInserter } from './frame-inserter.ts';
import { type FrameHeader, FrameScanner } from './frame-scanner.ts';
import { closingOf, maskedCloseFrame, PING } from './own-frames.ts';
import { MAX_FRAGMENTS, type Sent, sentOn, type Wire, type WireListener } from './wire.ts';

export interface SpliceOptions {
  readonly client: Duplex;
  readonly upstream: Socket;
  /** The longest message that the client may send, counted in bytes on the wire. */
  readonly maxMessageBytes: number;
  /** Without a byte either way for so long the upstream counts as lost, ms; 0 for never. */
  readonly idleMs: number;
}

/** How long a side may take for its last step, once nothing else is to come: to end its half, or to read what is left. */
const LINGER_MS = 2_000;

/** Whether the gateway closes the connection by itself. */
type Life = 'open' | 'closing' | 'over';

/** What has come from the client. `cut`: a frame was not passed on, so what the upstream has are whole frames. */
type FromClient = 'open' | 'cut' | 'closed';

/**
 * Passes the bytes of an open connection on, both ways and unchanged. Only frame headers are read. They tell
 * how long a message is, when the client last spoke, and where a frame of the gateway's own fits between two
 * of the upstream's. If one side does not read, the other is not read from: memory stays bounded by the
 * buffers of the two sockets.
 *
 * Its state is one phase for the gateway and one for each direction:
 *
 * | phase             | from          | to      | when                                                 |
 * | ----------------- | ------------- | ------- | ---------------------------------------------------- |
 * | `#life`           | open          | closing | the gateway closes: `close()`                        |
 * |                   | open, closing | over    | the client's socket has closed                       |
 * | `#fromClient`     | open          | cut     | a message is too long, or in too many fragments      |
 * |                   | open, cut     | closed  | the client has sent a Close frame                    |
 * | `#toClient.phase` | open          | closing | the gateway's Close frame waits for a boundary       |
 * |                   | open          | closed  | the upstream's Close frame was passed on             |
 * |                   | closing       | closed  | the gateway's Close frame was inserted               |
 * |                   | any           | ended   | the client's stream is ended: `#endClient()`         |
 *
 * The client's stream is ended when
 * - the client has answered the gateway's Close frame;
 * - the upstream has ended, behind a Close frame or in the middle of a frame;
 * - the client has ended its half, and the upstream has nothing more to say;
 * - both Close frames, or the client's end, have gone by, and the upstream does not end within LINGER_MS.
 */
export class Splice implements Wire, Corked {
  readonly #client: Duplex;
  readonly #upstream: Socket;
  readonly #clientFrames: FrameScanner;
  readonly #toClient: FrameInserter;
  readonly #listener: WireListener;
  #life: Life = 'open';
  #fromClient: FromClient = 'open';
  /** The first Close frame that went by, from either side. */
  #closing: { readonly code: number; readonly reason: string } | undefined;
  /** Why a frame of the client's was not passed on. */
  #fault: 'message_too_big' | 'too_many_fragments' | undefined;
  #onPinged: (() => void) | undefined;
  readonly #pinged = (error?: Error | null): void => {
    if (!error) this.#onPinged?.();
  };
  #linger: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor({ client, upstream, maxMessageBytes, idleMs }: SpliceOptions, listen: (wire: Wire) => WireListener) {
    this.#client = client;
    this.#upstream = upstream;
    this.#clientFrames = new FrameScanner((frame) => {
      this.#takes(frame);
      if (frame.messageBytes > maxMessageBytes) this.#fault ??= 'message_too_big';
      else if (frame.fragments > MAX_FRAGMENTS) this.#fault ??= 'too_many_fragments';
      return this.#fault === undefined;
    });
    this.#toClient = new FrameInserter((frame) => this.#takes(frame) && Number.isFinite(frame.length));
    this.#listener = listen(this);
    client.on('data', (chunk: Buffer) => this.#onClientData(chunk));
    client.on('drain', () => upstream.resume());
    client.on('end', () => this.#onClientEnd());
    client.on('close', () => this.#onClientClose());
    upstream.on('data', (chunk: Buffer) => this.#onUpstreamData(chunk));
    upstream.on('drain', () => client.resume());
    upstream.on('end', () => this.#onUpstreamEnd());
    upstream.on('close', () => this.#onUpstreamEnd());
    upstream.setTimeout(idleMs, () => this.#onUpstreamEnd());
    upstream.resume();
    if (upstream.destroyed) this.#onUpstreamEnd(); // its 'close' was emitted before this listener
  }

  get stalled(): boolean {
    return this.#client.writableNeedDrain;
  }

  get closed(): boolean {
    return this.#closing !== undefined && this.#life !== 'closing';
  }

  get sent(): Sent {
    return sentOn(this.#client);
  }

  ping(written: () => void): void {
    // The answer would wait behind bytes that the upstream does not read: the client is not to blame.
    if (this.#upstream.writableNeedDrain) return this.#listener.heard();
    if (this.#life !== 'open') return;
    this.#onPinged = written;
    this.#toClient.ping();
    this.#insertNow();
  }

  close(code: number, reason: string): void {
    if (this.#life !== 'open') return;
    this.#life = 'closing';
    this.#toClient.close(code, reason);
    this.#insertNow();
    // The client's answer has to be read, even if the upstream does not read what is ahead of it.
    this.#client.resume();
    this.#endUpstream(code, reason);
    this.#endIfAnswered();
  }

  terminate(): void {
    this.#client.destroy();
  }

  #onClientData(chunk: Buffer): void {
    this.#listener.heard();
    if (this.#fromClient === 'closed') return; // RFC 6455 §5.5.1: nothing counts behind a Close frame
    const { pass, stopped, closed } = this.#clientFrames.scan(chunk);
    if (stopped) this.#fromClient = 'cut';
    if (closed) this.#fromClient = 'closed';
    // From now on the client's answer to the gateway's Close frame is all that matters.
    if (this.#life === 'closing') return this.#endIfAnswered();
    if (this.#upstream.writable) this.#send(this.#upstream, pass);
    if (closed) this.#endSoonIfBothClosed();
    if (this.#fault !== undefined) this.#listener.failed(this.#fault);
  }

  #onUpstreamData(chunk: Buffer): void {
    if (this.#isDone) return;
    const { pass, inserted, stopped } = this.#toClient.pass(chunk);
    this.#send(this.#client, pass);
    if (inserted !== undefined) {
      this.#writeOwn(inserted.own);
      this.#send(this.#client, inserted.behind);
      this.#endIfAnswered();
    }
    this.#endSoonIfBothClosed();
    if (stopped) this.#upstreamLost();
  }

  /** Whether the client is sent nothing more of the upstream's. */
  get #isDone(): boolean {
    return this.#toClient.phase === 'closed' || this.#toClient.phase === 'ended';
  }

  /** Sends the own frames that wait, if no frame of the upstream's is under way. */
  #insertNow(): void {
    if (this.#toClient.atBoundary) this.#writeOwn(this.#toClient.pass().inserted?.own ?? []);
  }

  #writeOwn(frames: readonly Buffer[]): void {
    for (const frame of frames) this.#client.write(frame, frame === PING ? this.#pinged : undefined);
  }

  #send(to: Duplex, bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (to.writableCorked === 0) {
      // The first stream to be corked joins the burst for both.
      if (this.#client.writableCorked === 0 && this.#upstream.writableCorked === 0) joinBurst(this);
      to.cork();
    }
    to.write(bytes);
    countInBurst(bytes.length);
  }

  uncork(): void {
    this.#upstream.uncork();
    this.#client.uncork();
    if (isFull(this.#client)) this.#upstream.pause();
    // Once the gateway closes, the client's answer has to be read.
    if (isFull(this.#upstream) && this.#life !== 'closing') this.#client.pause();
  }

  #takes({ close }: FrameHeader): true {
    if (close !== undefined) this.#closing ??= closingOf(close);
    return true;
  }

  /** The upstream ended: as it should behind a Close frame, else without a word. */
  #onUpstreamEnd(): void {
    if (this.#life === 'over') return;
    if (this.#life === 'closing') {
      // The gateway's Close frame waits for the end of a frame that will never come.
      if (this.#toClient.phase === 'closing') this.#endClient();
    } else if (this.#closing === undefined) this.#upstreamLost();
    else this.#endClient();
  }

  #upstreamLost(): void {
    this.#upstream.destroy();
    this.#listener.failed('upstream_lost');
    // No Close frame can follow half a frame: the end of the stream has to tell.
    if (!this.#toClient.atBoundary) this.#endClient();
  }

  /** The client's half ended: as it should behind a Close frame, else without a word. */
  #onClientEnd(): void {
    if (this.#life === 'closing') return this.#endClient();
    this.#closing ??= { code: ABNORMAL_CLOSURE, reason: '' };
    if (!this.#upstream.writable) return this.#endClient();
    this.#upstream.end(this.#clientFrames.held);
    // An upstream that has sent its Close frame has nothing more to say.
    if (this.#isDone) this.#endClient();
    else this.#endSoon();
  }

  #onClientClose(): void {
    this.#life = 'over';
    clearTimeout(this.#linger);
    clearTimeout(this.#grace);
    if (!this.#upstream.destroyed) {
      // What is under way may still arrive. An upstream that reads nothing would keep its socket for ever.
      const linger = setTimeout(() => this.#upstream.destroy(), LINGER_MS);
      this.#upstream.once('close', () => clearTimeout(linger));
      this.#upstream.destroySoon();
    }
    const { code, reason } = this.#closing ?? { code: ABNORMAL_CLOSURE, reason: '' };
    this.#listener.ended(code, reason);
  }

  /** Ends the stream to the upstream, with a Close frame if that fits. */
  #endUpstream(code: number, reason: string): void {
    if (!this.#upstream.writable) return;
    const fits = this.#closing === undefined && (this.#clientFrames.atBoundary || this.#fromClient === 'cut');
    if (fits) this.#upstream.end(maskedCloseFrame(code, reason));
    else this.#upstream.end();
  }

  /** Ends the client's stream if the client has answered the gateway's Close frame. */
  #endIfAnswered(): void {
    if (this.#life === 'closing' && this.#isDone && this.#fromClient === 'closed') this.#endClient();
  }

  #endSoonIfBothClosed(): void {
    if (this.#isDone && this.#fromClient === 'closed') this.#endSoon();
  }

  /** The upstream has only its end to send. If it does not, the connection ends all the same. */
  #endSoon(): void {
    this.#grace ??= setTimeout(() => this.#endClient(), LINGER_MS);
  }

  /** Ends the stream to the client, behind all that is under way. The heartbeat notices a client that does not read it. */
  #endClient(): void {
    if (this.#toClient.phase === 'ended') return;
    this.#toClient.end();
    // Unread bytes would make the kernel send a reset, which overtakes the end.
    this.#client.resume();
    this.#client.end(() => {
      if (this.#life !== 'over') this.#linger = setTimeout(() => this.#client.destroy(), LINGER_MS);
    });
  }
}

/** Whether bytes are left that the receiver does not take for now. Bytes that went out at once do not count. */
function isFull(stream: Duplex): boolean {
  return stream.writableNeedDrain && stream.writableLength > 0;
}
