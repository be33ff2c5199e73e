const HEAD_END = '\r\n\r\n';
const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) ([\x20-\x7e]+)$/;
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\x20-\x7e]*)$/;

/** An HTTP/1.1 response as it came over the wire. */
export class Answer {
  readonly statusLine: string;
  readonly status: number;
  readonly reason: string;
  /** Names in lower case, in the order of the lines. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: string;

  /** @param head the text of the head, without the empty line that ends it */
  constructor(head: string, body = '') {
    const [statusLine = '', ...lines] = head.split('\r\n');
    const [, status, reason = ''] = STATUS_LINE.exec(statusLine) ?? [];
    if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
    this.statusLine = statusLine;
    this.status = Number(status);
    this.reason = reason;
    this.headers = lines.map((line) => {
      const [, name = '', value = ''] = FIELD.exec(line) ?? [];
      if (name === '') throw new Error(`not a header: ${JSON.stringify(line)}`);
      return [name.toLowerCase(), value] as const;
    });
    this.body = body;
  }

  /** The values of a header line by line. */
  values(name: string): string[] {
    return this.headers.filter(([header]) => header === name.toLowerCase()).map(([, value]) => value);
  }

  /** The value of a header; several are joined as RFC 9110 §5.3 does. Undefined if there is none. */
  header(name: string): string | undefined {
    const all = this.values(name);
    return all.length === 0 ? undefined : all.join(', ');
  }
}

/** The members of a problem document (RFC 9457) that the tests look at. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly retry: string;
  readonly retry_after?: number;
  readonly ticket_id?: string;
}

export type Parsed =
  | { readonly complete: true; readonly answer: Answer; readonly length: number }
  | { readonly complete: false };

/**
 * Reads the first response of some bytes. It is strict: what no careful server would send throws.
 *
 * @param bodiless whether the response has no body, whatever its Content-Length says (the answer to HEAD)
 */
export function parseAnswer(bytes: Buffer, bodiless = false): Parsed {
  const bodyStart = headLength(bytes);
  if (bodyStart === undefined) return { complete: false };
  const text = headText(bytes, bodyStart);
  const head = new Answer(text);
  // RFC 9110 §15.2: an interim response and a 101 end with their head.
  if (head.status < 200) return { complete: true, answer: head, length: bodyStart };

  const lengths = head.values('content-length');
  if (lengths.length !== 1 || !/^\d+$/.test(lengths[0] ?? '') || head.values('transfer-encoding').length > 0) {
    throw new Error(`not framed by one Content-Length: ${JSON.stringify(head.headers)}`);
  }
  const length = bodyStart + (bodiless ? 0 : Number(lengths[0]));
  if (bytes.length < length) return { complete: false };
  return { complete: true, answer: new Answer(text, bytes.toString('utf8', bodyStart, length)), length };
}

/** The head of a response, as an answer without a body, and the bytes behind it. */
export function splitHead(bytes: Buffer): { head: Answer; behind: Buffer } {
  const length = headLength(bytes);
  if (length === undefined) throw new Error(`no complete head: ${JSON.stringify(bytes.toString('latin1'))}`);
  return { head: new Answer(headText(bytes, length)), behind: bytes.subarray(length) };
}

/** The length of a complete head, with the empty line that ends it. */
function headLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(HEAD_END);
  return end === -1 ? undefined : end + HEAD_END.length;
}

function headText(bytes: Buffer, length: number): string {
  return bytes.toString('latin1', 0, length - HEAD_END.length);
}

/** All responses of a connection that has ended. Each must be complete, and nothing may follow the last. */
export function parseAnswers(bytes: Buffer, bodiless = false): Answer[] {
  const answers: Answer[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const parsed = parseAnswer(rest, bodiless);
    if (!parsed.complete) throw new Error(`incomplete response: ${JSON.stringify(rest.toString('latin1'))}`);
    answers.push(parsed.answer);
    rest = rest.subarray(parsed.length);
  }
  return answers;
}

/** The problem document of an answer, whose Content-Type must name it. */
export function problemOf(answer: Answer): Problem {
  if (answer.header('content-type') !== 'application/problem+json') {
    throw new Error(`not a problem document: ${answer.status} ${answer.header('content-type')} ${answer.body}`);
  }
  return JSON.parse(answer.body) as Problem; // what the tests assert is what they read
}
