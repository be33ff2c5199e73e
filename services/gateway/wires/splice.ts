import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ABNORMAL_CLOSURE } from '../../../shared/close-codes.ts';
import { type Sent, sentOn, type Wire, type WireListener } from '../connections/connection.ts';
import { type Corked, countInBurst, joinBurst } from './bursts.ts';
import { type FrameHeader, FrameScanner } from './frame-scanner.ts';
import { closeFrame, closingOf, maskedCloseFrame, PING } from './own-frames.ts';

export interface SpliceOptions {
  readonly client: Duplex;
  readonly upstream: Socket;
  /** The longest message from the client, as many bytes as it has on the wire. */
  readonly maxMessageBytes: number;
  /** After how long without a byte either way the upstream counts as lost, ms; 0 for never. */
  readonly idleMs: number;
}

/** How long a side may take to end its half, or to take what is left for it, once the other, or both, are done. */
const LINGER_MS = 2_000;

/**
 * Passes the bytes of an open connection on, both ways, as they are. Frame headers alone are read: so
 * the gateway knows how long a message is, when the client last spoke, and where a frame of its own, a
 * ping or a Close, fits exactly between two of the upstream's. What one side does not read is not read
 * from the other: memory stays bounded by the sockets' own buffers.
 */
export class Splice implements Wire, Corked {
  readonly #client: Duplex;
  readonly #upstream: Socket;
  readonly #fromClient: FrameScanner;
  readonly #fromUpstream: FrameScanner;
  readonly #listener: WireListener;
  /** Frames of the gateway's own that wait for the end of one of the upstream's. */
  #waiting: Buffer[] = [];
  #onPinged: () => void = () => {};
  readonly #pinged = (error?: Error | null): void => {
    if (!error) this.#onPinged();
  };
  /** The first Close frame that went by, from either side. */
  #closing: { readonly code: number; readonly reason: string } | undefined;
  /** The gateway closes by itself. */
  #isClosing = false;
  #clientClosed = false;
  /** The client has been sent a Close frame, whoever's: it was the last frame (RFC 6455 §5.5.1). */
  #closeSent = false;
  /** The client is sent nothing more than what is on its way. */
  #ending = false;
  /** A frame of the client's was not passed on: what the upstream has are whole frames. */
  #stopped = false;
  #over = false;
  #isInBurst = false;
  #linger: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor({ client, upstream, maxMessageBytes, idleMs }: SpliceOptions, listen: (wire: Wire) => WireListener) {
    this.#client = client;
    this.#upstream = upstream;
    this.#fromClient = new FrameScanner((frame) => this.#takesFromClient(frame, maxMessageBytes));
    this.#fromUpstream = new FrameScanner((frame) => this.#takesFromUpstream(frame));
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
    if (upstream.destroyed) this.#onUpstreamEnd(); // its 'close' has gone by
  }

  get stalled(): boolean {
    return this.#client.writableNeedDrain;
  }

  get closed(): boolean {
    return this.#closing !== undefined && !this.#isClosing;
  }

  get sent(): Sent {
    return sentOn(this.#client);
  }

  ping(written: () => void): void {
    // Its answer would wait behind what the upstream does not take: that is no silence of the client's.
    if (this.#upstream.writableNeedDrain) this.#listener.heard();
    else if (!this.#isClosing) {
      this.#onPinged = written;
      if (!this.#waiting.includes(PING)) this.#insert(PING);
    }
  }

  close(code: number, reason: string): void {
    if (this.#isClosing || this.#over) return;
    this.#isClosing = true;
    this.#insert(closeFrame(code, reason));
    // Its answer has to be read, whether or not the upstream takes what is before it.
    this.#client.resume();
    this.#endUpstream({ code, reason });
    this.#endWhenClosed();
  }

  terminate(): void {
    this.#client.destroy();
  }

  /** Puts a frame between two of the upstream's: at once where none is under way. */
  #insert(frame: Buffer): void {
    if (this.#closeSent || this.#ending) return;
    this.#waiting.push(frame);
    if (this.#fromUpstream.atBoundary) this.#flushWaiting();
  }

  #flushWaiting(): void {
    for (const frame of this.#waiting) this.#client.write(frame, frame === PING ? this.#pinged : undefined);
    this.#waiting = [];
    this.#closeSent ||= this.#isClosing;
  }

  #onClientData(chunk: Buffer): void {
    this.#listener.heard();
    if (this.#clientClosed) return; // RFC 6455 §5.5.1: nothing counts behind a Close
    const { pass, stopped } = this.#fromClient.scan(chunk);
    // Only the answer to the gateway's Close frame is looked for.
    if (this.#isClosing) return this.#endWhenClosed();
    if (this.#upstream.writable) this.#send(this.#upstream, pass);
    if (this.#clientClosed && this.#closeSent) this.#endSoon();
    if (stopped) {
      this.#stopped = true;
      this.#listener.failed('message_too_big');
    }
  }

  #onUpstreamData(chunk: Buffer): void {
    if (this.#closeSent || this.#ending) return;
    const { pass, boundary, stopped } = this.#fromUpstream.scan(chunk);
    if (this.#waiting.length === 0 || boundary < 0) {
      this.#send(this.#client, pass);
    } else {
      this.#send(this.#client, pass.subarray(0, boundary));
      this.#flushWaiting();
      if (!this.#isClosing) this.#send(this.#client, pass.subarray(boundary));
      this.#endWhenClosed();
    }
    if (this.#clientClosed && this.#closeSent) this.#endSoon();
    if (stopped) this.#upstreamLost();
  }

  #send(to: Duplex, bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (to.writableCorked === 0) to.cork();
    to.write(bytes);
    if (!this.#isInBurst) {
      this.#isInBurst = true;
      joinBurst(this);
    }
    countInBurst(bytes.length);
  }

  uncork(): void {
    this.#isInBurst = false;
    this.#upstream.uncork();
    this.#client.uncork();
    if (isFull(this.#client)) this.#upstream.pause();
    // Once the gateway closes, the client's answer has to be read.
    if (isFull(this.#upstream) && !this.#isClosing) this.#client.pause();
  }

  #takesFromClient(frame: FrameHeader, maxMessageBytes: number): boolean {
    if (frame.close !== undefined) {
      this.#clientClosed = true;
      this.#closing ??= closingOf(frame.close);
    }
    return frame.messageBytes <= maxMessageBytes;
  }

  #takesFromUpstream(frame: FrameHeader): boolean {
    if (frame.close !== undefined) {
      this.#closeSent = true;
      this.#closing ??= closingOf(frame.close);
    }
    return Number.isFinite(frame.length);
  }

  /** The upstream ended: in its own time after a Close frame, else without a word. */
  #onUpstreamEnd(): void {
    if (this.#over) return;
    if (this.#isClosing) {
      // The gateway's Close frame waits for the end of a frame that never comes.
      if (!this.#closeSent) this.#endClient();
    } else if (this.#closing === undefined) this.#upstreamLost();
    else this.#endClient();
  }

  #upstreamLost(): void {
    this.#upstream.destroy();
    this.#listener.failed('upstream_lost');
    // In the middle of a frame no Close can follow: the end of the stream has to say it.
    if (!this.#fromUpstream.atBoundary) this.#endClient();
  }

  /** The client's half ended: in its own time after a Close frame, else without a word. */
  #onClientEnd(): void {
    if (this.#isClosing) return this.#endClient();
    this.#closing ??= { code: ABNORMAL_CLOSURE, reason: '' };
    if (this.#upstream.writable) this.#upstream.end(this.#fromClient.held);
    else return this.#endClient();
    // Behind a Close there is nothing that the upstream could still say.
    if (this.#closeSent) this.#endClient();
    else this.#endSoon();
  }

  #onClientClose(): void {
    this.#over = true;
    clearTimeout(this.#linger);
    clearTimeout(this.#grace);
    if (!this.#upstream.destroyed) {
      // What is on its way may still arrive. An upstream that takes nothing would keep its socket for ever.
      const linger = setTimeout(() => this.#upstream.destroy(), LINGER_MS);
      this.#upstream.once('close', () => clearTimeout(linger));
      this.#upstream.destroySoon();
    }
    const { code, reason } = this.#closing ?? { code: ABNORMAL_CLOSURE, reason: '' };
    this.#listener.ended(code, reason);
  }

  /** Tells the upstream that the gateway closes, with a Close frame where one fits, and reads it no more. */
  #endUpstream({ code, reason }: { readonly code: number; readonly reason: string }): void {
    if (!this.#upstream.writable) return;
    const fits = this.#closing === undefined && (this.#fromClient.atBoundary || this.#stopped);
    if (fits) this.#upstream.end(maskedCloseFrame(code, reason));
    else this.#upstream.end();
  }

  /** Ends the client's side behind the answer to the gateway's Close frame. */
  #endWhenClosed(): void {
    if (this.#isClosing && this.#closeSent && this.#clientClosed) this.#endClient();
  }

  /** Nothing more is to come from the upstream but the end. One that keeps it back does not keep the connection open. */
  #endSoon(): void {
    this.#grace ??= setTimeout(() => this.#endClient(), LINGER_MS);
  }

  /** Ends the stream to the client, behind all that is on its way. Whether it takes that, the heartbeat finds out. */
  #endClient(): void {
    if (this.#ending) return;
    this.#ending = true;
    // Unread bytes would turn the end into a reset that overtakes it.
    this.#client.resume();
    this.#client.end(() => {
      if (!this.#over) this.#linger = setTimeout(() => this.#client.destroy(), LINGER_MS);
    });
  }
}

/** Whether a stream has more to write than the far side takes for now. What went through at once is written, whatever its size. */
function isFull(stream: Duplex): boolean {
  return stream.writableNeedDrain && stream.writableLength > 0;
}
