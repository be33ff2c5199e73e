import type { Retry } from '../../shared/refusals.ts';
import { type ConnectCode, ConnectRefused } from '../errors/connect-refused.ts';
import { type ConnectOptions, provided, TIMEOUT_MS, type TicketWish } from '../options.ts';
import { unlessAborted } from '../waiting/unless-aborted.ts';

/** What the client needs of `GET /tickets/<id>`. */
export interface TicketRecord {
  readonly id: string;
  readonly state: 'issued' | 'open' | 'closed' | 'refused' | 'expired' | 'revoked';
  readonly close: { readonly code: number; readonly reason: string } | null;
  readonly last_attempt: { readonly outcome: string; readonly status?: number | undefined } | null;
}

/** A problem document of the service, as far as a client reads it (RFC 9457). */
interface Problem {
  readonly detail: string;
  readonly retry: Retry;
  readonly retry_after: number;
  readonly ticket_id: string;
}

/**
 * Asks the ticket service: `''` is for a ticket, `/<id>` is one's record, `/<id>/renew` renews its session. What has
 * a body is sent by POST. Every failure is a {@link ConnectRefused}, or the signal's reason.
 */
export type Ask = <Answer>(path: string, body?: object) => Promise<Answer>;

export function ticketService(
  {
    tickets = '/tickets',
    records = typeof tickets === 'function' ? '/tickets' : tickets,
    headers: given,
    credentials,
    timeoutMs = TIMEOUT_MS,
  }: ConnectOptions<unknown>,
  signal: AbortSignal,
  onGranted: () => void,
): Ask {
  return async (path, body) => {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const answer = async () => {
      // The address may end with a slash, and have a query.
      const to = path ? `${records}`.replace(/\/*(?=[?#]|$)/, path) : tickets;
      if (typeof to === 'function') return to(body as TicketWish);
      const headers = new Headers(await provided(given, inTime));
      if (body) headers.set('Content-Type', 'application/json');
      return fetch(to, {
        method: body ? 'POST' : 'GET',
        headers,
        credentials: credentials as RequestCredentials, // undefined is the default, and that is the same
        signal: inTime,
        body: JSON.stringify(body),
      });
    };
    // The application's own requests take of the same time.
    return unlessAborted(
      inTime,
      answer().then((answered) => content(answered, path)),
    ).then(
      (read) => {
        onGranted();
        return read;
      },
      (cause) => {
        signal.throwIfAborted();
        throw cause instanceof ConnectRefused ? cause : new ConnectRefused('service_unreachable', { cause });
      },
    );
  };
}

/** What an answer says, or the refusal that it is. Of a function of the application it may be anything. */
async function content(answer: unknown, path: string) {
  const { ok, status, headers }: Partial<Response> = Object(answer);
  const body =
    answer instanceof Response
      ? await answer.json().catch((cause) => {
          // What is not JSON is some proxy's page. An answer that breaks off is none at all.
          if (!(cause instanceof SyntaxError)) throw cause;
        })
      : answer;
  // With a ticket a WebSocket can be made.
  const good = path
    ? ok && body?.id
    : /^[\w-]+,wss?:\/\/[^\s,?#]+(,[\w.-]+)+$/i.test(`${[body?.id, body?.url, body?.protocols]}`);
  if (good) return body;
  // A problem of others may have fields of the same names: an application's own 404, for one.
  const [, code] = `${body?.type}`.split('urn:oncegate:problem:');
  const { detail, retry, retry_after, ticket_id }: Partial<Problem> = code ? body : {};
  const after = headers?.get?.('Retry-After') || '-';
  // Seconds, or a date, which begins with a letter (RFC 9110 §10.2.3); numbers or not, as JSON may have anything.
  const waits = [retry_after, after > 'A' ? (Date.parse(after) - Date.now()) / 1000 : +after] as number[];
  throw new ConnectRefused((code ?? (status === 401 ? 'credentials_missing' : 'answer_unreadable')) as ConnectCode, {
    message: detail,
    status,
    retry,
    retryAfter: waits.find((wait) => Number.isFinite(wait) && wait >= 0),
    ticketId: ticket_id,
  });
}
