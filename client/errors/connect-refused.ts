import type { RefusalCode, Retry } from '../../shared/refusals.ts';
import { retryAfterSeconds, unexpectedRetry } from './generated.ts';

/**
 * What the client finds out by itself, beside the refusals that the services send. The rows of those
 * are in the table of refusals (docs/refusals.md).
 */
export const clientCodes = {
  /** The handshake failed, and no gateway ever saw the ticket. */
  not_seen: [
    'backoff',
    'check the network, connect-src, GATEWAY_URL, the gateway, its Redis, that proxies pass Upgrade',
  ],
  /** The handshake failed, and the ticket service could not be asked why. */
  unexplained: ['backoff', 'see cause'],
  /**
   * The ticket service did not answer: it is down, the network is, or CORS forbids to read the answer. Or the
   * application's own `tickets` or `headers` failed, which is the `cause` then.
   */
  service_unreachable: ['backoff', 'check the address of the ticket service, the network, CORS; see cause'],
  /** Something answered that does not speak as a ticket service does, or the application's own `tickets` returned no ticket. */
  answer_unreadable: ['never', 'check the address of the ticket service'],
  /** A gateway admitted the ticket, and the connection broke before the client saw it open. */
  connection_lost: ['backoff', 'broke while opening'],
} as const satisfies Record<string, readonly [Retry, advice: string]>;

export type ClientCode = keyof typeof clientCodes;

/** Every code that a {@link ConnectRefused} may carry: a `switch` over it is checked by the compiler. */
export type ConnectCode = RefusalCode | ClientCode;

/** What is known of a refusal beside its code. */
export interface RefusedDetails {
  readonly message?: string | undefined;
  readonly status?: number | undefined;
  readonly retry?: Retry | undefined;
  readonly retryAfter?: number | undefined;
  readonly ticketId?: string | undefined;
  readonly cause?: unknown;
}

/** The connection was refused, or never came about. It never opened. Switch on `code`, never on the message. */
export class ConnectRefused extends Error {
  declare readonly code: ConnectCode;
  /** The HTTP status of the refusal, of the gateway's or the ticket service's; undefined where nobody answered. */
  declare readonly status: number | undefined;
  /** What may be done: `never` (a person must act), `reissue` (a new ticket at once), `backoff` (wait, then a new ticket). */
  declare readonly retry: Retry;
  /** Seconds to wait at least before the next attempt, where that is known. */
  declare readonly retryAfter: number | undefined;
  /** Public id of the ticket, for logs and for `GET /tickets/<id>`; undefined where none was issued. */
  declare readonly ticketId: string | undefined;

  constructor(code: ConnectCode, { message, status, retry, retryAfter, ticketId, cause }: RefusedDetails = {}) {
    const { 0: ownRetry = 'never', 1: advice = 'refused' } = Object(clientCodes[code as ClientCode]); // none for the services' codes
    super(`${code}: ${message ?? advice}`, { cause });
    Object.assign(this, {
      name: 'ConnectRefused',
      code,
      status,
      // So a proxy's 429 or 5xx passes, and that of a newer service, whose code is not known here.
      retry:
        retry ??
        unexpectedRetry[code] ??
        // Nothing is greater than undefined, or less.
        ((status as number) > 428 ? 'backoff' : /^ticket_/.test(code) ? 'reissue' : ownRetry),
      retryAfter: retryAfter ?? retryAfterSeconds[code],
      ticketId,
    });
  }
}
