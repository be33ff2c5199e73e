/** What a frame's header says (RFC 6455 §5.2). */
export interface FrameHeader {
  readonly opcode: number;
  /** Bytes of the payload; Infinity if they are more than a number holds exactly. Nobody can send that many. */
  readonly length: number;
  /**
   * Bytes of the frame's message so far, this frame included; 0 for a control frame. A control frame that is
   * longer than RFC 6455 §5.5 allows counts like a message: else it would pass every limit.
   */
  readonly messageBytes: number;
  /** Frames of the frame's message so far, this one included; 0 for a control frame. */
  readonly fragments: number;
  /** Of a Close frame: its payload as it was sent, and the mask if it came from a client. */
  readonly close?: { readonly payload: Buffer; readonly mask: Buffer | undefined };
}

/** What may be passed on of the bytes that were read. */
export interface Scanned {
  /** All that was read, without an incomplete header at its end: that is held back until the rest has come. */
  readonly pass: Buffer;
  /** Offset in `pass` of the first boundary between two frames; -1 if there is none. */
  readonly boundary: number;
  /** Whether a frame was not taken: neither it nor anything behind it is in `pass`. */
  readonly stopped: boolean;
  /** Whether a Close frame was among the frames that begin here. */
  readonly closed: boolean;
}

export const OPCODE = { close: 0x8, ping: 0x9 } as const;

const FIN = 0x80;
const MASKED = 0x80;
const MAX_CONTROL_BYTES = 125;
const NOTHING = Buffer.alloc(0);

/**
 * Finds the boundaries of the frames in one direction of a connection. It reads the headers, and the payload
 * of a Close frame for the record. What it passes on is what it was given, byte for byte.
 */
export class FrameScanner {
  readonly #takes: (header: FrameHeader) => boolean;
  #held: Buffer = NOTHING;
  #payloadLeft = 0;
  #messageBytes = 0;
  #fragments = 0;

  /** @param takes called for every frame before any of it is passed on; returns whether it may be passed on */
  constructor(takes: (header: FrameHeader) => boolean) {
    this.#takes = takes;
  }

  /** Whether what was passed on so far ends with a whole frame, so that another frame may follow. */
  get atBoundary(): boolean {
    return this.#payloadLeft === 0;
  }

  /** The incomplete header that is held back; empty if there is none. */
  get held(): Buffer {
    return this.#held;
  }

  scan(read: Buffer): Scanned {
    const chunk = this.#held.length === 0 ? read : Buffer.concat([this.#held, read]);
    this.#held = NOTHING;
    let at = this.#payloadLeft;
    let stop: number | undefined;
    let closed = false;
    const boundary = at <= chunk.length ? at : -1;
    while (at < chunk.length) {
      const size = this.#headerSize(chunk, at);
      if (size === 0) {
        this.#held = chunk.subarray(at);
        break;
      }
      const header = this.#read(chunk, at, size);
      if (header.close !== undefined) closed = true;
      if (!this.#takes(header)) stop ??= at;
      at += size + header.length;
    }
    this.#payloadLeft = Math.max(0, at - chunk.length);
    return { pass: chunk.subarray(0, stop ?? at), boundary, stopped: stop !== undefined, closed };
  }

  /** Bytes of the header that begins at this offset; 0 if it is incomplete, or if it is a Close frame that is. */
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
      const fragments = 0;
      if (length > MAX_CONTROL_BYTES) return { opcode, length, messageBytes: length, fragments };
      if (opcode !== OPCODE.close) return { opcode, length, messageBytes: 0, fragments };
      const payload = chunk.subarray(at + size, at + size + length);
      const mask = second & MASKED ? chunk.subarray(at + size - 4, at + size) : undefined;
      return { opcode, length, messageBytes: 0, fragments, close: { payload, mask } };
    }
    // A message that begins inside another is a fault that a receiver may overlook: its bytes and frames count for both.
    const messageBytes = this.#messageBytes + length;
    const fragments = this.#fragments + 1;
    this.#messageBytes = first & FIN ? 0 : messageBytes;
    this.#fragments = first & FIN ? 0 : fragments;
    return { opcode, length, messageBytes, fragments };
  }
}

function payloadLength(chunk: Buffer, at: number, length: number): number {
  if (length === 126) return chunk.readUInt16BE(at + 2);
  if (length < 126) return length;
  const long = chunk.readUInt32BE(at + 2) * 2 ** 32 + chunk.readUInt32BE(at + 6);
  return Number.isSafeInteger(long) ? long : Number.POSITIVE_INFINITY;
}
