import { randomBytes } from 'node:crypto';
import { NO_STATUS } from '../../../shared/close-codes.ts';
import { utf8Text } from '../../../shared/utf8.ts';
import { type FrameHeader, OPCODE } from './frame-scanner.ts';

/** The gateway's own frames (RFC 6455 §5.5), and the code and reason of other parties' Close frames. */

/** A ping without payload, to a client. */
export const PING = Buffer.from([0x80 | OPCODE.ping, 0]);

/** A Close frame for a client. The reason comes from the table, so it stays within the 123 bytes of RFC 6455 §5.5. */
export function closeFrame(code: number, reason: string): Buffer {
  const payload = closePayload(code, reason);
  return Buffer.concat([Buffer.from([0x80 | OPCODE.close, payload.length]), payload]);
}

/** A Close frame for an upstream. A client masks its frames, with a key that nobody can predict (RFC 6455 §5.3). */
export function maskedCloseFrame(code: number, reason: string): Buffer {
  const payload = closePayload(code, reason);
  const mask = randomBytes(4);
  return Buffer.concat([Buffer.from([0x80 | OPCODE.close, 0x80 | payload.length]), mask, masked(payload, mask)]);
}

/** The code and the reason of a Close frame that another party sent. A reason that is not UTF-8 is none (RFC 6455 §5.5.1). */
export function closingOf({ payload, mask }: NonNullable<FrameHeader['close']>): { code: number; reason: string } {
  const plain = mask === undefined ? payload : masked(payload, mask);
  if (plain.length < 2) return { code: NO_STATUS, reason: '' };
  return { code: plain.readUInt16BE(0), reason: utf8Text(plain.subarray(2)) ?? '' };
}

function closePayload(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return payload;
}

/** RFC 6455 §5.3: masking and unmasking are the same operation. */
function masked(payload: Buffer, mask: Buffer): Buffer {
  return Buffer.from(payload.map((byte, index) => byte ^ Number(mask[index % 4])));
}
