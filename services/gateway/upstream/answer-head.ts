import { hash } from 'node:crypto';
import { trimBlanks } from '../admission/white-space.ts';

/** The head of an HTTP/1.1 response, as it was sent. */
export interface AnswerHead {
  readonly version: '1.0' | '1.1';
  readonly status: number;
  /** Names as they were written, values without the white space around them. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
}

/** What was offered to an upstream, which its answer has to fit. */
export interface Offer {
  /** The `Sec-WebSocket-Accept` that the key wants. */
  readonly accept: string;
  readonly protocols: readonly string[];
  /** `Sec-WebSocket-Extensions`, or nothing. */
  readonly extensions: string | undefined;
}

const STATUS_LINE = /^HTTP\/(1\.[01]) ([1-5]\d\d)(?: [\t -~\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t -~\x80-\xff]*$/;

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Reads a response head without its empty line; null where it is none (RFC 9112 §4, §5). */
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

/** What `Connection` names, in lower case (RFC 9110 §7.6.1). */
export function connectionOptions(answer: AnswerHead): string[] {
  const options = headerValues(answer, 'connection').join(',').toLowerCase().split(',');
  return options.map((option) => option.trim());
}

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/**
 * Whether an answer opens a WebSocket as it was offered (RFC 6455 §4.1, the client's checks). Whatever
 * else an upstream answers with opens nothing: a tunnel that only one side believes in can be used to
 * smuggle requests.
 */
export function opensWebSocket(answer: AnswerHead, offer: Offer): boolean {
  const only = (name: string): string | undefined => {
    const values = headerValues(answer, name);
    return values.length === 1 ? values[0] : undefined;
  };
  // RFC 9110 §7.8: HTTP/1.0 knows no upgrade.
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
 * A quoted parameter, which may hold a comma (RFC 6455 §9.1). It fits also where its last quote is missing:
 * to fail there would make it look for that again from every quote inside, in quadratic time.
 */
const QUOTED = /"(?:[^"\\]|\\.)*("?)/g;

function extensionNames(header: string): string[] {
  const names = header
    // Without its last quote it is no parameter: what is left stands for an extension that nobody offers.
    .replace(QUOTED, (_, last: string) => (last === '' ? ',"' : ''))
    .split(',')
    .map((item) => item.split(';', 1)[0]?.trim() ?? '');
  return names.filter((name) => name !== '');
}
