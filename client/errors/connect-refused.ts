import type { FieldError, RefusalCode, Retry } from '../../shared/refusals.ts';
import { retryAfterSeconds, unexpectedRetry } from './generated.ts';
import { rowOf } from './row-of.ts';

interface ClientRow {
  readonly retry: Retry;
  /** The message, unless a better one is known. */
  readonly advice: string;
}

/**
 * The refusals that the client finds out by itself. Those that the services send are in the table of refusals
 * (docs/refusals.md).
 */
export const clientCodes = {
  /** The handshake failed, and no gateway has seen the ticket. */
  not_seen: {
    retry: 'backoff',
    advice: 'check the network, connect-src, GATEWAY_URL, the gateway, its Redis, that proxies pass Upgrade',
  },
  /** The handshake failed, and the ticket service could not be asked why. */
  unexplained: { retry: 'backoff', advice: 'see cause' },
  /**
   * The ticket service did not answer: it or the network is down, or CORS keeps the answer from the page. Or the
   * application's own `tickets` or `headers` failed, with the `cause`.
   */
  service_unreachable: {
    retry: 'backoff',
    advice: 'check the address of the ticket service, the network, CORS; see cause',
  },
  /** The answer is not one of a ticket service, or the application's own `tickets` returned no ticket. */
  answer_unreadable: { retry: 'never', advice: 'check the address of the ticket service' },
  /** A gateway admitted the ticket, and the connection broke before it was open. */
  connection_lost: { retry: 'backoff', advice: 'broke while opening' },
} as const satisfies Record<string, ClientRow>;

export type ClientCode = keyof typeof clientCodes;

/** Every code of a {@link ConnectRefused}: the compiler checks a `switch` over it. */
export type ConnectCode = RefusalCode | ClientCode;

/** What is known of a refusal besides its code; what is left out comes from the tables. */
export interface RefusedDetails {
  readonly message?: string | undefined;
  readonly status?: number | undefined;
  readonly retry?: Retry | undefined;
  readonly retryAfter?: number | undefined;
  readonly ticketId?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
  /** What was seen, for people: the request line, and the status and content type of an answer. No credentials. */
  readonly seen?: string | undefined;
  readonly cause?: unknown;
}

/** There is no connection: it was refused, or it failed before it was open. Switch on `code`, never on the message. */
export class ConnectRefused extends Error {
  readonly code: ConnectCode;
  /** HTTP status of the refusal, the gateway's or the ticket service's; undefined if nobody answered. */
  readonly status: number | undefined;
  /** What may be done: `never` (a person must act), `reissue` (a new ticket at once), `backoff` (wait, then a new ticket). */
  readonly retry: Retry;
  /** The shortest wait before the next attempt, in seconds; undefined if none is known. */
  readonly retryAfter: number | undefined;
  /** The public id of the ticket, for logs and for `GET /tickets/<id>`; undefined if none was issued. */
  readonly ticketId: string | undefined;
  /** Every field that is out of bounds, with `request_invalid`; the message has the first. Otherwise undefined. */
  readonly errors: readonly FieldError[] | undefined;

  constructor(code: ConnectCode, details: RefusedDetails = {}) {
    const ownRow = rowOf<ClientRow>(clientCodes, code);
    const { errors, seen, cause, message = ownRow?.advice ?? 'refused' } = details;
    const [first] = errors ?? [];
    const more = first ? ` ${first.pointer} ${first.detail}` : seen ? ` (${seen})` : '';
    super(`${code}: ${message}${more}`, { cause });
    this.name = 'ConnectRefused';
    this.code = code;
    this.status = details.status;
    this.retry = details.retry ?? usualRetry(code, details.status) ?? ownRow?.retry ?? 'never';
    this.retryAfter = details.retryAfter ?? rowOf(retryAfterSeconds, code);
    this.ticketId = details.ticketId;
    this.errors = errors;
  }
}

/**
 * What may be done after a refusal that does not say so itself. The rule holds for a code of a newer service and for
 * the 408, 429 or 5xx of a proxy too; the rows that break it are generated.
 */
function usualRetry(code: string, status = 0): Retry | undefined {
  const exception = rowOf(unexpectedRetry, code);
  if (exception) return exception;
  if (status === 408 || status >= 429) return 'backoff';
  return /^ticket_/.test(code) ? 'reissue' : undefined;
}
