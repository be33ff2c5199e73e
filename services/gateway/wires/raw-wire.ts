import type { Socket } from 'node:net';
import { ABNORMAL_CLOSURE, type RecordedReason } from '../../../shared/close-codes.ts';
import type { RefusalCode } from '../../../shared/refusals.ts';
import { FrameInserter } from './frame-inserter.ts';
import { closingOf, PING } from './own-frames.ts';
import type { Sent, Wire, WireListener } from './wire.ts';

/** A write as node:stream gives it to `_write` and `_writev`. */
interface Write {
  readonly chunk: Uint8Array | string;
  readonly encoding: BufferEncoding;
}

type Done = (error?: Error | null) => void;

/** Bytes of a long write that are passed on at once: the count of what the client has taken grows batch by batch. */
const BATCH_BYTES = 65_536;

/** No library answers an upgrade with a longer head. */
const MAX_HEAD_BYTES = 65_536;
const HEAD_END = '\r\n\r\n';
/** What node:stream calls the encoding of bytes. */
const BYTES = 'buffer' as BufferEncoding; // its types do not know it
const NOTHING = Buffer.alloc(0);

/** What the record says if the library never answered with 101: it answered something else, or nothing. */
const REFUSED: RefusalCode = 'upstream_refused';
const GONE: RecordedReason = 'client_gone';

/**
 * A connection that another WebSocket library answers with 101 and speaks on. The wire takes the place of the
 * socket's `_write` and reads the frame headers of what the library writes there. So the gateway can insert a
 * frame of its own between two of the library's, and the record says how the connection ended.
 */
export class RawWire implements Wire {
  readonly #socket: Socket;
  readonly #write: Socket['_write'];
  readonly #writev: Socket['_writev'];
  readonly #listener: WireListener;
  readonly #frames = new FrameInserter((frame) => {
    if (frame.close !== undefined) this.#closing ??= closingOf(frame.close);
    return true;
  });
  /** The answer to the upgrade so far; undefined once its head is complete. */
  #head: Buffer | undefined = NOTHING;
  /** Whether the answer was 101. */
  #isOpen = false;
  /** The library's Close frame. */
  #closing: { readonly code: number; readonly reason: string } | undefined;
  #onPinged: (() => void) | undefined;
  /** Bytes that the client has taken. */
  #taken = 0;
  /** Whether the gateway closes the connection. */
  #isClosing = false;

  /** @param socket the client's; nothing has been written to it for this connection yet */
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
    return this.#closing !== undefined && !this.#isClosing;
  }

  get sent(): Sent {
    return { taken: this.#taken, left: this.#socket.writableLength };
  }

  ping(written: () => void): void {
    if (!this.#isOpen || this.#isClosing) return;
    // The answer would wait behind bytes that the application does not read: the client is not to blame.
    if (this.#socket.isPaused()) return this.#listener.heard();
    this.#onPinged = written;
    this.#frames.ping();
    this.#insertWaiting();
  }

  close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#isOpen) {
      this.#frames.close(code, reason);
      this.#insertWaiting();
    } else if (this.#head === NOTHING) {
      // No frame may come before the 101. An answer that has begun may finish.
      this.#socket.destroy();
    }
  }

  terminate(): void {
    this.#socket.destroy();
  }

  #onClose(): void {
    const { code, reason } = this.#closing ?? { code: ABNORMAL_CLOSURE, reason: '' };
    if (this.#isOpen) this.#listener.ended(code, reason);
    else this.#listener.ended(ABNORMAL_CLOSURE, this.#head === NOTHING ? GONE : REFUSED);
  }

  #insertWaiting(): void {
    // The frame is inserted into this empty write, or into one of the library's that is ahead of it.
    if (this.#socket.writable) this.#socket.write(NOTHING);
  }

  /** Passes on what the library wrote, with the gateway's own frames between. */
  #pass(writes: ReadonlyArray<Write>, done: Done): void {
    const passed = writes.flatMap((write) => this.#withOwn(bytesOf(write))).filter(({ length }) => length > 0);
    const batches = batchesOf(passed);
    // Not at once: a library that writes again in each callback would block the event loop.
    if (batches.length === 0) setImmediate(done);
    else this.#passInTurn(batches, done);
  }

  /** One batch behind the other, in a loop: each may be done at once, and thousands of nested calls overflow the stack. */
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
          if (batch.includes(PING)) this.#onPinged?.();
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
    if (!this.#isOpen) {
      const behind = this.#readHead(bytes);
      return behind === 0 ? [bytes] : [bytes.subarray(0, -behind), ...this.#withOwn(bytes.subarray(-behind))];
    }
    const { pass, inserted } = this.#frames.pass(bytes);
    return inserted === undefined ? [pass] : [pass, ...inserted.own, inserted.behind];
  }

  /**
   * Reads the head of the answer to the upgrade.
   *
   * @returns how many of these bytes are behind the head of a 101
   */
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

/** The same bytes in batches of about BATCH_BYTES, none of them twice as long. */
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
