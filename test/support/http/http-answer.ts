/** An HTTP/1.1 response as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** The value of a header; several are joined as RFC 9110 §5.3 does. Undefined where there is none. */
  header(name: string): string | undefined;
  readonly body: string;
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

const HEAD_END = '\r\n\r\n';
const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) ([\x20-\x7e]+)$/;
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\x20-\x7e]*)$/;

/**
 * Reads the first response of some bytes. It is strict: what no careful server would send is a fault of
 * the sender and throws.
 *
 * @param bodiless whether the response has no body whatever its Content-Length says (the answer to HEAD)
 */
export function parseAnswer(bytes: Buffer, bodiless = false): Parsed {
  const end = bytes.indexOf(HEAD_END);
  if (end === -1) return { complete: false };
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const [, status, reason = ''] = STATUS_LINE.exec(statusLine) ?? [];
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);

  const fields = lines.map((line) => {
    const [, name = '', value = ''] = FIELD.exec(line) ?? [];
    if (name === '') throw new Error(`not a header: ${JSON.stringify(line)}`);
    return { name: name.toLowerCase(), value };
  });
  const valuesOf = (name: string): string[] => fields.filter((field) => field.name === name).map(({ value }) => value);
  const header = (name: string): string | undefined => {
    const values = valuesOf(name.toLowerCase());
    return values.length === 0 ? undefined : values.join(', ');
  };
  const head = { status: Number(status), reason, header };
  const bodyStart = end + HEAD_END.length;
  // RFC 9110 §15.2: an interim response and a 101 end with their head.
  if (head.status < 200) return { complete: true, answer: { ...head, body: '' }, length: bodyStart };

  const lengths = valuesOf('content-length');
  if (lengths.length !== 1 || !/^\d+$/.test(lengths[0] ?? '') || valuesOf('transfer-encoding').length > 0) {
    throw new Error(`not framed by one Content-Length: ${JSON.stringify(lines)}`);
  }
  const length = bodyStart + (bodiless ? 0 : Number(lengths[0]));
  if (bytes.length < length) return { complete: false };
  return { complete: true, answer: { ...head, body: bytes.toString('utf8', bodyStart, length) }, length };
}

/** All responses of a connection that has ended. Every one has to be complete, and nothing may follow the last. */
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

/** The problem document of an answer, which must say that it is one. */
export function problemOf(answer: Answer): Problem {
  if (answer.header('content-type') !== 'application/problem+json') {
    throw new Error(`not a problem document: ${answer.status} ${answer.header('content-type')} ${answer.body}`);
  }
  return JSON.parse(answer.body) as Problem; // what the tests assert is what they read
}
