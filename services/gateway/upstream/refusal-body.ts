import type { PassedOn } from '../../../shared/refusals.ts';
import { type AnswerHead, headerValues } from './answer-head.ts';

/** The longest body of an upstream's refusal that is passed on. */
export const MAX_BODY_BYTES = 16_384;

/** The headers of an upstream's refusal that are passed on. */
const PASSED_ON = [
  'content-type',
  'content-encoding',
  'content-language',
  'www-authenticate',
  'retry-after',
  'allow',
  'set-cookie',
];

const NOTHING = Buffer.alloc(0);

/** Collects the body of an upstream's refusal, up to a limit (RFC 9112 §6). */
export class RefusalBody {
  readonly #framing: Framing;
  #read: Buffer = NOTHING;

  constructor(answer: AnswerHead) {
    this.#framing = framingOf(answer);
  }

  /**
   * Adds bytes that have come.
   *
   * @returns whether there is nothing more to wait for
   */
  add(chunk: Buffer): boolean {
    this.#read = Buffer.concat([this.#read, chunk]);
    if (this.#framing === 'unreadable' || this.#read.length > 2 * MAX_BODY_BYTES) return true;
    if (this.#framing === 'until close') return false;
    if (this.#framing === 'chunked') return dechunk(this.#read) !== undefined;
    return this.#read.length >= this.#framing || this.#framing > MAX_BODY_BYTES;
  }

  /**
   * The body; empty if it is incomplete or too long.
   *
   * @param ended whether the upstream has ended its half cleanly
   */
  bytes(ended: boolean): Buffer {
    const body = this.#body(ended);
    return body === undefined || body.length > MAX_BODY_BYTES ? NOTHING : body;
  }

  #body(ended: boolean): Buffer | undefined {
    if (this.#framing === 'unreadable') return undefined;
    if (this.#framing === 'until close') return ended ? this.#read : undefined;
    if (this.#framing === 'chunked') return dechunk(this.#read);
    return this.#read.length < this.#framing ? undefined : this.#read.subarray(0, this.#framing);
  }
}

/** How the end of a body is found; a number is its length in bytes. */
type Framing = number | 'chunked' | 'until close' | 'unreadable';

/** RFC 9112 §6.3. */
function framingOf(answer: AnswerHead): Framing {
  const encodings = headerValues(answer, 'transfer-encoding');
  if (encodings.length > 0) return encodings.join(',').toLowerCase() === 'chunked' ? 'chunked' : 'unreadable';
  const [length, ...more] = headerValues(answer, 'content-length');
  if (length === undefined) return 'until close';
  return more.length === 0 && /^\d{1,15}$/.test(length) ? Number(length) : 'unreadable';
}

/** An upstream's 4xx as it is passed on, with its body if that has come. */
export function passedOn(answer: AnswerHead, body: Buffer = NOTHING): PassedOn {
  return {
    status: answer.status,
    headers: answer.headers.filter(([name]) => PASSED_ON.includes(name.toLowerCase())),
    body,
  };
}

/** The body of a chunked message; undefined if it is incomplete or malformed (RFC 9112 §7.1). */
function dechunk(read: Buffer): Buffer | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = read.indexOf('\r\n', at);
    const size = /^([0-9A-Fa-f]{1,7})(?:[\t ]*;.*)?$/.exec(end < 0 ? '' : read.toString('latin1', at, end))?.[1];
    if (size === undefined) return undefined;
    const length = Number.parseInt(size, 16);
    if (length === 0) return Buffer.concat(chunks);
    const start = end + 2;
    if (read.length < start + length + 2) return undefined;
    chunks.push(read.subarray(start, start + length));
    at = start + length + 2;
  }
}
