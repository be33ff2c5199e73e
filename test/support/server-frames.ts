/** A frame as a server sent it. */
export interface ServerFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

/**
 * Splits what a server sent behind its 101 into frames, and throws at whatever a strict client would fail
 * the connection for (RFC 6455 §5): a frame inside of another, or behind a Close, is found that way.
 *
 * @param compressed whether permessage-deflate was chosen, so that RSV1 may be set on a message (RFC 7692 §6)
 */
export function strictFrames(bytes: Buffer, { compressed = false } = {}): ServerFrame[] {
  const frames: ServerFrame[] = [];
  let isInMessage = false;
  for (let at = 0; at < bytes.length; ) {
    const fail = (why: string): never => {
      throw new Error(`${why} at byte ${at} of ${bytes.length}, behind ${frames.length} frames`);
    };
    if (frames.at(-1)?.opcode === 8) fail('a byte behind the Close');
    if (at + 2 > bytes.length) fail('half a header');
    const [first, second] = [bytes.readUInt8(at), bytes.readUInt8(at + 1)];
    const [fin, opcode] = [(first & 0x80) !== 0, first & 0x0f];
    const { length, size } = lengthAt(bytes, at, second & 0x7f, fail);
    if (second & 0x80) fail('a mask');
    if (first & 0x30 || (first & 0x40 && (!compressed || opcode === 0 || opcode >= 8))) fail('a reserved bit');
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) fail(`opcode ${opcode}`);
    if (opcode >= 8 && (!fin || length > 125)) fail('a control frame in parts, or too long');
    if (opcode < 8) {
      if ((opcode === 0) !== isInMessage) fail(isInMessage ? 'a message inside of another' : 'a continuation of none');
      isInMessage = !fin;
    }
    const end = at + size + length;
    if (end > bytes.length) fail('half a frame');
    frames.push({ fin, opcode, payload: bytes.subarray(at + size, end) });
    at = end;
  }
  return frames;
}

function lengthAt(bytes: Buffer, at: number, short: number, fail: (why: string) => never) {
  if (short < 126) return { length: short, size: 2 };
  const size = short === 126 ? 4 : 10;
  if (at + size > bytes.length) fail('half a header');
  const length = short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  if (length < (short === 126 ? 126 : 65_536)) fail('a length that is longer than it has to be');
  return { length, size };
}

/** The code and the reason of a Close frame. */
export function closeOf(frame: ServerFrame | undefined): readonly [code: number, reason: string] | undefined {
  return frame?.opcode === 8 ? [frame.payload.readUInt16BE(0), frame.payload.toString('utf8', 2)] : undefined;
}
