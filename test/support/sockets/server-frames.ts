/** A frame as a server sent it, or a client, whose mask is taken off then. */
export interface ServerFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

interface StrictOptions {
  /** Whether permessage-deflate was chosen, so that RSV1 may be set on a message (RFC 7692 §6). */
  readonly compressed?: boolean;
  /** Whether it was a client that sent them. */
  readonly masked?: boolean;
  /** Whether more may follow: a frame that is not complete is left out then. */
  readonly open?: boolean;
}

/**
 * Splits what one side sent behind the handshake into frames, and throws at whatever a strict receiver would
 * fail the connection for (RFC 6455 §5): a frame inside of another, or behind a Close, is found that way.
 */
export function strictFrames(bytes: Buffer, options: StrictOptions = {}): ServerFrame[] {
  const { compressed = false, masked = false, open = false } = options;
  const frames: ServerFrame[] = [];
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

/** What a header says of its own size and of its payload's; undefined where it is not complete. */
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
export function closeOf(frame: ServerFrame | undefined): readonly [code: number, reason: string] | undefined {
  return frame?.opcode === 8 ? [frame.payload.readUInt16BE(0), frame.payload.toString('utf8', 2)] : undefined;
}
