/** A frame from a client (RFC 6455 §5.2), masked with zeros. Payloads of up to 65,535 bytes. */
export function clientFrame(opcode: number, payload: string | Buffer = '', { fin = true } = {}): Buffer {
  const bytes = Buffer.from(payload);
  if (bytes.length > 0xffff) throw new RangeError('a test frame has at most 65,535 bytes');
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode, ...length, 0, 0, 0, 0]), bytes]);
}

/** A frame as it was received; the payload of a client's frame is unmasked. */
export interface ReceivedFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

interface StrictOptions {
  /** Whether permessage-deflate was chosen, so that RSV1 may be set on a message (RFC 7692 §6). */
  readonly compressed?: boolean;
  /** Whether a client sent them. */
  readonly masked?: boolean;
  /** Whether more may follow: an incomplete last frame is then ignored. */
  readonly open?: boolean;
}

/**
 * Splits what one side sent after the handshake into frames.
 * Throws wherever a strict receiver would fail the connection (RFC 6455 §5): so it finds a frame inside another, or after a Close.
 */
export function strictFrames(bytes: Buffer, options: StrictOptions = {}): ReceivedFrame[] {
  const { compressed = false, masked = false, open = false } = options;
  const frames: ReceivedFrame[] = [];
  let isInMessage = false;
  for (let at = 0; at < bytes.length; ) {
    const fail = (why: string): never => {
      throw new Error(`${why} at byte ${at} of ${bytes.length}, behind ${frames.length} frames`);
    };
    if (frames.at(-1)?.opcode === 8) fail('a byte behind the Close');
    const header = headerAt(bytes, at, fail);
    if (header === undefined) {
      if (!open) fail('half a header');
      break;
    }
    const { length, size } = header;
    const [first, second] = [bytes.readUInt8(at), bytes.readUInt8(at + 1)];
    const [fin, opcode] = [(first & 0x80) !== 0, first & 0x0f];
    if (masked !== (second & 0x80) > 0) fail(masked ? 'no mask' : 'a mask');
    if (first & 0x30 || (first & 0x40 && (!compressed || opcode === 0 || opcode >= 8))) fail('a reserved bit');
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) fail(`opcode ${opcode}`);
    if (opcode >= 8 && (!fin || length > 125)) fail('a control frame in parts, or too long');
    if (opcode < 8) {
      if ((opcode === 0) !== isInMessage) fail(isInMessage ? 'a message inside of another' : 'a continuation of none');
      isInMessage = !fin;
    }
    const end = at + size + length;
    if (end > bytes.length) {
      if (!open) fail('half a frame');
      break;
    }
    const payload = bytes.subarray(at + size, end);
    const mask = bytes.subarray(at + size - 4, at + size);
    const plain = masked ? Buffer.from(payload.map((byte, index) => byte ^ mask.readUInt8(index % 4))) : payload;
    frames.push({ fin, opcode, payload: plain });
    at = end;
  }
  return frames;
}

/** The sizes of a header and of its payload; undefined if the header is incomplete. */
function headerAt(bytes: Buffer, at: number, fail: (why: string) => never) {
  if (at + 2 > bytes.length) return undefined;
  const second = bytes.readUInt8(at + 1);
  const short = second & 0x7f;
  const wide = short < 126 ? 0 : short === 126 ? 2 : 8;
  const size = 2 + wide + (second & 0x80 ? 4 : 0);
  if (at + size > bytes.length) return undefined;
  if (wide === 0) return { length: short, size };
  const length = wide === 2 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  if (length < (wide === 2 ? 126 : 65_536)) fail('a length that is longer than it has to be');
  return { length, size };
}

/** The code and the reason of a Close frame. */
export function closeOf(frame: ReceivedFrame | undefined): readonly [code: number, reason: string] | undefined {
  return frame?.opcode === 8 ? [frame.payload.readUInt16BE(0), frame.payload.toString('utf8', 2)] : undefined;
}
