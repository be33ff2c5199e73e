/** What a frame's header says (RFC 6455 §5.2). */
export interface FrameHeader {
  readonly opcode: number;
  /** Bytes of the payload. Infinity where it is more than a number can hold: more than anybody can send. */
  readonly length: number;
  /**
   * Bytes of the message that the frame belongs to, up to its end; 0 for a control frame. What only pretends
   * to be one, being longer than they may be (RFC 6455 §5.5), counts like a message.
   */
  readonly messageBytes: number;
  /** Of a Close frame: its payload, still masked where it came from a client, with the mask. */
  readonly close?: { readonly payload: Buffer; readonly mask: Buffer | undefined };
}

/** What may be passed on of what was read. */
export interface Scanned {
  /** Whole frames and payload: everything but the beginning of a header, which is held back until it is complete. */
  readonly pass: Buffer;
  /** Where in `pass` the first boundary between two frames is; -1 where there is none. */
  readonly boundary: number;
  /** Whether a frame was not taken: nothing from it on is in `pass`. */
  readonly stopped: boolean;
}

export const OPCODE = { close: 0x8, ping: 0x9 } as const;

const FIN = 0x80;
const MASKED = 0x80;
const MAX_CONTROL_BYTES = 125;
const NOTHING = Buffer.alloc(0);

/**
 * Finds the boundaries of the frames in one direction of a connection. It reads headers, and of Close
 * frames the payload, which the record tells; what it passes on is what it was given, to the byte.
 */
export class FrameScanner {
  readonly #takes: (header: FrameHeader) => boolean;
  #held: Buffer = NOTHING;
  #payloadLeft = 0;
  #messageBytes = 0;

  /** @param takes told of every frame before any of it is passed on, and says whether it may be */
  constructor(takes: (header: FrameHeader) => boolean) {
    this.#takes = takes;
  }

  /** Whether all that was passed on so far is whole frames, so that another may follow. */
  get atBoundary(): boolean {
    return this.#payloadLeft === 0;
  }

  /** The beginning of a header that was never completed. */
  get held(): Buffer {
    return this.#held;
  }

  scan(read: Buffer): Scanned {
    const chunk = this.#held.length === 0 ? read : Buffer.concat([this.#held, read]);
    this.#held = NOTHING;
    let at = this.#payloadLeft;
    let stop: number | undefined;
    const boundary = at <= chunk.length ? at : -1;
    while (at < chunk.length) {
      const size = this.#headerSize(chunk, at);
      if (size === 0) {
        this.#held = chunk.subarray(at);
        break;
      }
      const header = this.#read(chunk, at, size);
      if (!this.#takes(header)) stop ??= at;
      at += size + header.length;
    }
    this.#payloadLeft = Math.max(0, at - chunk.length);
    return { pass: chunk.subarray(0, stop ?? at), boundary, stopped: stop !== undefined };
  }

  /** Bytes of the header that begins here; 0 where it is not complete, or a Close frame is not. */
  #headerSize(chunk: Buffer, at: number): number {
    const second = chunk[at + 1];
    if (second === undefined) return 0;
    const length = second & 0x7f;
    const size = 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second & MASKED ? 4 : 0);
    const isClose = (Number(chunk[at]) & 0x0f) === OPCODE.close && length <= MAX_CONTROL_BYTES;
    return at + size + (isClose ? length : 0) <= chunk.length ? size : 0;
  }

  #read(chunk: Buffer, at: number, size: number): FrameHeader {
    const first = chunk.readUInt8(at);
    const second = chunk.readUInt8(at + 1);
    const opcode = first & 0x0f;
    const length = payloadLength(chunk, at, second & 0x7f);
    if (opcode >= OPCODE.close) {
      if (length > MAX_CONTROL_BYTES) return { opcode, length, messageBytes: length };
      if (opcode !== OPCODE.close) return { opcode, length, messageBytes: 0 };
      const payload = chunk.subarray(at + size, at + size + length);
      const mask = second & MASKED ? chunk.subarray(at + size - 4, at + size) : undefined;
      return { opcode, length, messageBytes: 0, close: { payload, mask } };
    }
    // A new message in the middle of another is a fault that the far end may overlook: it counts as more of it.
    const messageBytes = this.#messageBytes + length;
    this.#messageBytes = first & FIN ? 0 : messageBytes;
    return { opcode, length, messageBytes };
  }
}

function payloadLength(chunk: Buffer, at: number, length: number): number {
  if (length === 126) return chunk.readUInt16BE(at + 2);
  if (length < 126) return length;
  const long = chunk.readUInt32BE(at + 2) * 2 ** 32 + chunk.readUInt32BE(at + 6);
  return Number.isSafeInteger(long) ? long : Number.POSITIVE_INFINITY;
}
