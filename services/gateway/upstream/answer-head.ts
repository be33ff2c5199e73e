import { hash } from 'node:crypto';
import { trimBlanks } from '../../../shared/http/white-space.ts';

/** The head of an upstream's HTTP/1.1 response. */
export interface AnswerHead {
  readonly version: '1.0' | '1.1';
  readonly status: number;
  /** Names as they were sent; values without the white space around them. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
}

/** What the gateway offered to an upstream. The upstream's answer must match it. */
export interface Offer {
  /** The `Sec-WebSocket-Accept` that follows from the key. */
  readonly accept: string;
  readonly protocols: readonly string[];
  /** `Sec-WebSocket-Extensions`, if the client sent it. */
  readonly extensions: string | undefined;
}

const STATUS_LINE = /^HTTP\/(1\.[01]) ([1-5]\d\d)(?: [\t -~\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t -~\x80-\xff]*$/;

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Parses a response head, given without its empty line; null if it is malformed (RFC 9112 §4, §5). */
export function parseAnswerHead(text: string): AnswerHead | null {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const [, version, status] = STATUS_LINE.exec(statusLine) ?? [];
  if (version === undefined) return null;
  const headers: Array<[string, string]> = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    const value = line.slice(colon + 1);
    if (!NAME.test(name) || !VALUE.test(value)) return null;
    headers.push([name, trimBlanks(value)]);
  }
  return { version: version === '1.0' ? version : '1.1', status: Number(status), headers };
}

export function headerValues({ headers }: AnswerHead, name: string): string[] {
  return headers.filter(([header]) => header.toLowerCase() === name).map(([, value]) => value);
}

/** The options in `Connection`, in lower case (RFC 9110 §7.6.1). */
export function connectionOptions(answer: AnswerHead): string[] {
  const options = headerValues(answer, 'connection').join(',').toLowerCase().split(',');
  return options.map((option) => option.trim());
}

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/**
 * Whether an answer opens the WebSocket that was offered: the client's checks of RFC 6455 §4.1. Any other
 * answer opens nothing. If only one side believed in the tunnel, requests could be smuggled through it.
 */
export function opensWebSocket(answer: AnswerHead, offer: Offer): boolean {
  const only = (name: string): string | undefined => {
    const values = headerValues(answer, name);
    return values.length === 1 ? values[0] : undefined;
  };
  // RFC 9110 §7.8: there is no upgrade in HTTP/1.0.
  if (answer.status !== 101 || answer.version !== '1.1') return false;
  if (only('upgrade')?.toLowerCase() !== 'websocket') return false;
  if (!connectionOptions(answer).includes('upgrade')) return false;
  if (only('sec-websocket-accept') !== offer.accept) return false;

  const protocols = headerValues(answer, 'sec-websocket-protocol');
  if (protocols.length > 1 || !protocols.every((protocol) => offer.protocols.includes(protocol))) return false;
  const offered = new Set(extensionNames(offer.extensions ?? ''));
  const chosen = extensionNames(headerValues(answer, 'sec-websocket-extensions').join(','));
  return chosen.every((name) => offered.has(name));
}

/**
 * A quoted parameter, which may hold a comma (RFC 6455 §9.1). The pattern matches without the closing quote
 * too. Otherwise the search would start again at every quote inside, in quadratic time.
 */
const QUOTED = /"(?:[^"\\]|\\.)*("?)/g;

function extensionNames(header: string): string[] {
  const names = header
    // Without its closing quote it is malformed: a name that nobody offers takes its place, so that the answer fails.
    .replace(QUOTED, (_, last: string) => (last === '' ? ',"' : ''))
    .split(',')
    .map((item) => item.split(';', 1)[0]?.trim() ?? '');
  return names.filter((name) => name !== '');
}
