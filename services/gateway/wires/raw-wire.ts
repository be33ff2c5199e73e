import type { Socket } from 'node:net';
import { ABNORMAL_CLOSURE, type RecordedReason } from '../../../shared/close-codes.ts';
import type { RefusalCode } from '../../../shared/refusals.ts';
import type { Sent, Wire, WireListener } from '../connections/connection.ts';
import { FrameScanner } from './frame-scanner.ts';
import { closeFrame, closingOf, PING } from './own-frames.ts';

/** A write as a stream hands it to what is below. */
interface Write {
  readonly chunk: Uint8Array | string;
  readonly encoding: BufferEncoding;
}

type Done = (error?: Error | null) => void;

/** As much of a long write as is handed on at once: so it shows how far the client has come with it. */
const BATCH_BYTES = 65_536;

/** More than any library answers an upgrade with. */
const MAX_HEAD_BYTES = 65_536;
const HEAD_END = '\r\n\r\n';
/** What node:stream calls the encoding of bytes. */
const BYTES = 'buffer' as BufferEncoding; // its types do not know it
const NOTHING = Buffer.alloc(0);

/** What the record says where the library never answered with 101. */
const REFUSED: RefusalCode = 'upstream_refused';
const GONE: RecordedReason = 'client_gone';

/**
 * A connection that another library answers with 101 and speaks on. What that library writes is looked
 * at below its stream, headers of frames alone: so a ping or a Close of the gateway's own comes exactly
 * between two of its frames, nothing follows a Close (RFC 6455 §5.5.1: browsers fail a connection then),
 * and the record tells how the connection ended.
 */
export class RawWire implements Wire {
  readonly #socket: Socket;
  readonly #write: Socket['_write'];
  readonly #writev: Socket['_writev'];
  readonly #listener: WireListener;
  readonly #frames = new FrameScanner((frame) => {
    if (frame.close !== undefined) this.#closing ??= closingOf(frame.close);
    return true;
  });
  /** What the upgrade has been answered with so far; undefined once that is complete. */
  #head: Buffer | undefined = NOTHING;
  /** Whether the answer was 101. */
  #isOpen = false;
  /** The library's Close frame. */
  #closing: { readonly code: number; readonly reason: string } | undefined;
  /** Frames of the gateway's own that wait for the end of one of the library's. */
  #waiting: Buffer[] = [];
  #onPinged: () => void = () => {};
  /** Bytes that the client has taken. */
  #taken = 0;
  /** The gateway closes by itself: its Close frame is the last that the client is sent. */
  #own: { sent: boolean } | undefined;

  /** @param socket nothing has been written on it for this connection yet */
  constructor(socket: Socket, listen: (wire: Wire) => WireListener) {
    this.#socket = socket;
    this.#write = socket._write.bind(socket);
    this.#writev = socket._writev?.bind(socket);
    socket._write = (chunk: Write['chunk'], encoding, done) => this.#pass([{ chunk, encoding }], done);
    socket._writev = (writes, done) => this.#pass(writes, done);
    this.#listener = listen(this);
    socket.once('close', () => this.#onClose());
  }

  get stalled(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Any byte from the client is a sign of life. */
  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get closed(): boolean {
    return this.#closing !== undefined && this.#own === undefined;
  }

  get sent(): Sent {
    return { taken: this.#taken, left: this.#socket.writableLength };
  }

  ping(written: () => void): void {
    if (!this.#isOpen || this.#own !== undefined) return;
    // Its answer would wait behind what the application does not read: that is no silence of the client's.
    if (this.#socket.isPaused()) return this.#listener.heard();
    this.#onPinged = written;
    if (!this.#waiting.includes(PING)) this.#insert(PING);
  }

  close(code: number, reason: string): void {
    if (this.#own !== undefined) return;
    this.#own = { sent: false };
    if (this.#isOpen) this.#insert(closeFrame(code, reason));
    // Nothing may come before the 101, and another answer is let finish.
    else if (this.#head === NOTHING) this.#socket.destroy();
  }

  terminate(): void {
    this.#socket.destroy();
  }

  #onClose(): void {
    const { code, reason } = this.#closing ?? { code: ABNORMAL_CLOSURE, reason: '' };
    if (this.#isOpen) this.#listener.ended(code, reason);
    else this.#listener.ended(ABNORMAL_CLOSURE, this.#head === NOTHING ? GONE : REFUSED);
  }

  #insert(frame: Buffer): void {
    this.#waiting.push(frame);
    // An empty write takes it along, unless one of the library's does so before.
    if (this.#socket.writable) this.#socket.write(NOTHING);
  }

  /** Hands on what was written, with a frame that waited for its place. */
  #pass(writes: ReadonlyArray<Write>, done: Done): void {
    const passed = writes.flatMap((write) => this.#withOwn(bytesOf(write))).filter(({ length }) => length > 0);
    const batches = batchesOf(passed);
    // Not at once: who waits for each write before the next would keep everybody else waiting.
    if (batches.length === 0) setImmediate(done);
    else this.#passInTurn(batches, done);
  }

  /** One batch behind the other: in a loop, because each may be done at once and there may be thousands. */
  #passInTurn(batches: ReadonlyArray<readonly Buffer[]>, done: Done): void {
    const rest = batches.values();
    const passOn = (): void => {
      for (let isDone = true; isDone; ) {
        const { value: batch } = rest.next();
        if (batch === undefined) return done();
        let isLooping = true;
        isDone = false;
        this.#passBatch(batch, (error) => {
          if (error) return done(error);
          this.#taken += bytesIn(batch);
          if (batch.includes(PING)) this.#onPinged();
          if (isLooping) isDone = true;
          else passOn();
        });
        isLooping = false;
      }
    };
    passOn();
  }

  #passBatch(batch: readonly Buffer[], done: Done): void {
    const [only, ...more] = batch;
    if (only !== undefined && more.length === 0) this.#write(only, BYTES, done);
    else if (this.#writev === undefined) this.#write(Buffer.concat(batch), BYTES, done);
    else
      this.#writev(
        batch.map((chunk) => ({ chunk, encoding: BYTES })),
        done,
      );
  }

  #withOwn(bytes: Buffer): Buffer[] {
    if (this.#own?.sent) return [];
    if (!this.#isOpen) {
      const behind = this.#readHead(bytes);
      return behind === 0 ? [bytes] : [bytes.subarray(0, -behind), ...this.#withOwn(bytes.subarray(-behind))];
    }
    const isClosed = this.#closing !== undefined;
    const { pass, boundary } = this.#frames.scan(bytes);
    if (isClosed || this.#waiting.length === 0 || boundary < 0 || boundary > pass.length) return [pass];
    const own = this.#waiting;
    this.#waiting = [];
    if (this.#own === undefined) return [pass.subarray(0, boundary), ...own, pass.subarray(boundary)];
    this.#own.sent = true;
    return [pass.subarray(0, boundary), ...own];
  }

  /** Reads on in the answer to the upgrade. Returned is how many of these bytes are behind a 101. */
  #readHead(bytes: Buffer): number {
    if (this.#head === undefined || bytes.length === 0) return 0;
    this.#head = Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0 && this.#head.length <= MAX_HEAD_BYTES) return 0;
    this.#isOpen = end >= 0 && this.#head.toString('latin1', 0, 12) === 'HTTP/1.1 101';
    const behind = this.#isOpen ? this.#head.length - end - HEAD_END.length : 0;
    this.#head = undefined;
    return behind;
  }
}

function bytesOf({ chunk, encoding }: Write): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding);
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** The same bytes in batches, none of them much longer than one is to be. */
function batchesOf(buffers: readonly Buffer[]): Buffer[][] {
  const batches: Buffer[][] = [];
  let room = 0;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length; at += BATCH_BYTES) {
      const part = buffer.length <= BATCH_BYTES ? buffer : buffer.subarray(at, at + BATCH_BYTES);
      const batch = room > 0 ? batches.at(-1) : undefined;
      if (batch === undefined) batches.push([part]);
      else batch.push(part);
      room = (batch === undefined ? BATCH_BYTES : room) - part.length;
    }
  }
  return batches;
}

function bytesIn(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}
