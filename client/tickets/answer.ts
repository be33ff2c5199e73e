import type { FieldError, Retry } from '../../shared/refusals.ts';
import { type ConnectCode, ConnectRefused } from '../errors/connect-refused.ts';
import type { IssuedTicket, ResponseLike } from '../options.ts';
import type { TicketRecord } from './ticket-record.ts';

const PROBLEM_TYPE = 'urn:oncegate:problem:';

/** A problem document of the ticket service, as far as a client reads it (RFC 9457). */
interface Problem {
  readonly type: string;
  readonly detail: string;
  readonly retry: Retry;
  readonly retry_after: number;
  readonly ticket_id: string;
  readonly errors: readonly FieldError[];
}

/** An answer in JSON, by the fields that may be in it. */
type Body = Partial<IssuedTicket & TicketRecord & Problem>;

/** The line of a request, for people. Credentials may be in front of the host, in the query and in the fragment. */
export function requestLine(method: string, address: string | URL): string {
  return `${method} ${`${address}`.replace(/[?#].*|(?<=\/\/)[^/]*@/gs, '')}`;
}

/** Reads a ticket. The answer of an application's own function may be a `Response`, its content, or anything else. */
export async function readTicket(answer: unknown, line: string): Promise<IssuedTicket> {
  const body = await bodyOf(answer);
  if (isTicket(body)) return body;
  throw refusalIn(answer, body, line);
}

export async function readRecord(answer: ResponseLike, line: string): Promise<TicketRecord> {
  const body = await bodyOf(answer);
  if (answer.ok && body.id) return body as TicketRecord; // the service answers a success with nothing else
  throw refusalIn(answer, body, line);
}

async function bodyOf(answer: unknown): Promise<Body> {
  if (!isResponse(answer)) return Object(answer);
  try {
    return Object(await answer.json());
  } catch (error) {
    // It is not JSON, but a proxy's page, for example. With any other error the answer broke off. Neither is asked by
    // its class: `node-fetch` has its own, and so has each frame and each `vm`.
    const { name, type } = Object(error);
    if (name === 'SyntaxError' || type === 'invalid-json') return {};
    throw error;
  }
}

/** Whether it is a `Response`, of whatever library. */
function isResponse(answer: unknown): answer is ResponseLike {
  return typeof Object(answer).json === 'function';
}

/** Whether a WebSocket can be opened with it. */
function isTicket(body: Body): body is IssuedTicket {
  const protocols = [body.protocols].flat();
  return (
    matches(/^[\w-]+$/, body.id) &&
    matches(/^wss?:\/\/[^\s?#]+$/i, body.url) &&
    protocols.length > 0 &&
    protocols.every((protocol) => matches(/^[\w.-]+$/, protocol))
  );
}

function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value);
}

/** The refusal that an answer is. Without the type of a problem of ours, its fields mean something else. */
function refusalIn(answer: unknown, body: Body, line: string): ConnectRefused {
  const { status, headers }: Partial<ResponseLike> = Object(answer);
  const header = secondsOf(isResponse(answer) && headers?.get?.('Retry-After'));
  const type = `${body.type}`;
  if (!type.startsWith(PROBLEM_TYPE)) {
    const code = status === 401 ? 'credentials_missing' : 'answer_unreadable';
    const seen = [line, status, headers?.get?.('Content-Type')].filter(Boolean).join(' ');
    return new ConnectRefused(code, { status, retryAfter: header, seen });
  }
  return new ConnectRefused(type.slice(PROBLEM_TYPE.length) as ConnectCode, {
    message: body.detail,
    status,
    retry: body.retry,
    retryAfter: waitOrNone(body.retry_after) ?? header,
    ticketId: body.ticket_id,
    errors: Array.isArray(body.errors) ? body.errors : undefined,
  });
}

/** The seconds of a `Retry-After`, which has a number of them or a date (RFC 9110 §10.2.3). */
function secondsOf(retryAfter: string | null | undefined | false): number | undefined {
  if (!retryAfter) return undefined;
  // A date begins with the name of a day. `Date.parse` alone would read `-2050` as a year.
  const isDate = /^[a-z]/i.test(retryAfter);
  return waitOrNone(isDate ? (Date.parse(retryAfter) - Date.now()) / 1000 : Number(retryAfter));
}

/** A wait as it was asked for; undefined for what is negative or no number. */
function waitOrNone(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds >= 0 && seconds < Infinity ? seconds : undefined;
}
