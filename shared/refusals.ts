/**
 * THE table of refusals: every expected "no" of either service, once. Status, problem document, headers,
 * metric label, log field, client error and `docs/refusals.md` derive from a row. It imports nothing.
 *
 * A code that was released stays in the table for good: it may be retired, but is never reused.
 */

/** What the client may do next: `never` (a person must act), `reissue` (a new ticket at once), `backoff` (wait, then a new ticket). */
export type Retry = 'never' | 'reissue' | 'backoff';

interface Row {
  /** HTTP status of the answer (RFC 9110 §15). */
  readonly status: number;
  readonly retry: Retry;
  /** A short summary that never changes from one occurrence to the next (RFC 9457 §3.1.3). */
  readonly title: string;
  /** What the reader can do about it. It never repeats what the client sent. */
  readonly detail: string;
  /** Seconds to wait if nothing better is known. A refusal of such a row has `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /**
   * Whether such a refusal counts as a failed handshake of the client's address (`MAX_FAILED_HANDSHAKES_PER_MINUTE`).
   * By default it does. `false`: the refusal tells nothing about the client.
   */
  readonly countsAgainstClient?: false;
}

export const refusals = {
  credentials_missing: {
    status: 401,
    retry: 'never',
    title: 'Credentials are missing',
    detail: 'Sign in and send the request again with credentials of one of the schemes in WWW-Authenticate.',
  },
  credentials_invalid: {
    status: 401,
    retry: 'never',
    title: 'The credentials are not valid',
    detail: 'They are wrong, malformed or expired. Sign in again.',
  },
  csrf_refused: {
    status: 403,
    retry: 'never',
    title: 'The request comes from another site',
    detail:
      'A request that is authenticated by a cookie must come from an allowed origin, with a JSON body or a custom header.',
  },
  subject_refused: {
    status: 403,
    retry: 'never',
    title: 'The caller may not act for that subject',
    detail: 'Leave out "subject", or use credentials that may issue tickets for other subjects.',
  },
  origin_refused: {
    status: 403,
    retry: 'never',
    title: 'The origin is not allowed',
    detail:
      'The page must be served from an origin in ALLOWED_ORIGINS, and from the one that the ticket was issued to.',
  },
  request_malformed: {
    status: 400,
    retry: 'never',
    title: 'The request cannot be read',
    detail: 'Send a JSON object (RFC 8259) in UTF-8, or no body at all.',
  },
  request_invalid: {
    status: 422,
    retry: 'never',
    title: 'A field of the request is out of bounds',
    detail: 'Correct every field that "errors" names and send the request again.',
  },
  payload_too_large: {
    status: 413,
    retry: 'never',
    title: 'The request body is too large',
    detail: 'Send less: the claims of a ticket may have at most 4,096 bytes as JSON.',
  },
  request_timeout: {
    status: 408,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'The request did not arrive in time',
    detail: 'A request must be complete within 10 seconds. Send it again on a new connection.',
  },
  not_found: {
    status: 404,
    retry: 'never',
    title: 'There is nothing here',
    detail: 'Check the path. A ticket is shown to its own subject only, and only until its retention has passed.',
  },
  method_not_allowed: {
    status: 405,
    retry: 'never',
    title: 'The method is not allowed here',
    detail: 'Use one of the methods in the Allow header.',
  },
  rate_limited: {
    status: 429,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'Too many requests or failed handshakes',
    detail: 'Wait as long as Retry-After says, then ask for a new ticket.',
    retryAfterSeconds: 10,
  },
  pending_limit: {
    status: 429,
    retry: 'backoff',
    title: 'The subject has too many unspent tickets',
    detail: 'Use or revoke tickets that were issued, or wait until they expire (MAX_PENDING_PER_SUBJECT).',
    retryAfterSeconds: 5,
  },
  handshake_malformed: {
    status: 400,
    retry: 'never',
    title: 'The upgrade request is broken',
    detail:
      'It must be a single HTTP/1.1 GET with one Host, one Sec-WebSocket-Key of 16 bytes, no body, nothing sent before the 101, and the ticket in exactly one place (RFC 6455 section 4.1).',
  },
  upgrade_required: {
    status: 426,
    retry: 'never',
    title: 'This address speaks WebSocket only',
    detail: 'Connect with a WebSocket client, protocol version 13 (RFC 6455).',
  },
  ticket_missing: {
    status: 401,
    retry: 'reissue',
    title: 'No ticket was presented',
    detail:
      'Ask the ticket service for a ticket (POST /tickets) and present it in a carrier that this gateway accepts: the query, the subprotocol or the Authorization header.',
  },
  ticket_malformed: {
    status: 401,
    retry: 'reissue',
    title: 'The ticket is malformed',
    detail: 'Present the ticket value exactly as it was issued: 59 characters that begin with ogt_.',
  },
  ticket_unknown: {
    status: 401,
    retry: 'reissue',
    title: 'The ticket is not known',
    detail: 'It was never issued, its secret is wrong, or it expired long ago. Ask for a new ticket.',
  },
  ticket_expired: {
    status: 401,
    retry: 'reissue',
    title: 'The ticket has expired',
    detail: 'Ask for a new ticket right before connecting.',
  },
  ticket_consumed: {
    status: 401,
    retry: 'reissue',
    title: 'The ticket was used before',
    detail: 'A ticket buys one connection, once. Ask for a new ticket for every attempt.',
  },
  ticket_revoked: {
    status: 401,
    retry: 'reissue',
    title: 'The ticket was revoked',
    detail: 'It was withdrawn before it was used. Ask for a new ticket if you may still connect.',
  },
  audience_refused: {
    status: 403,
    retry: 'never',
    title: 'The ticket is for another audience',
    detail: 'Ask for a ticket whose audience is the one that this gateway serves (GATEWAY_AUDIENCE).',
  },
  path_refused: {
    status: 403,
    retry: 'never',
    title: 'The ticket is for another path',
    detail: 'Connect to the path that the ticket was issued for, or ask for a ticket for this one.',
  },
  address_refused: {
    status: 403,
    retry: 'never',
    title: 'The ticket was issued to another address',
    detail: 'Connect from the network address that asked for the ticket (BIND_ADDRESS is on).',
  },
  connection_limit: {
    status: 429,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'There are too many open connections',
    detail: 'Close a connection of this subject, or wait until the gateway has room, then ask for a new ticket.',
    retryAfterSeconds: 5,
  },
  draining: {
    status: 503,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'The gateway is draining',
    detail: 'It is about to stop. Ask for a new ticket and connect again: another gateway will answer.',
    retryAfterSeconds: 2,
  },
  overloaded: {
    status: 503,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'The service is overloaded',
    detail: 'Too many requests are being decided at once. Wait, then ask for a new ticket.',
    retryAfterSeconds: 5,
  },
  store_unavailable: {
    status: 503,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'The ticket store does not answer',
    detail:
      'Redis is down or too slow, so nothing could be decided. Wait, then ask for a new ticket: this one may be spent.',
    retryAfterSeconds: 2,
  },
  authentication_unavailable: {
    status: 503,
    retry: 'backoff',
    title: 'The credentials cannot be checked now',
    detail:
      'What checks them (the issuer, the session store or the application) does not answer. Wait, then try again.',
    retryAfterSeconds: 2,
  },
  upstream_unreachable: {
    status: 502,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'The upstream cannot be reached',
    detail: 'The gateway admitted the ticket, but the back end behind it does not accept connections.',
  },
  upstream_timeout: {
    status: 504,
    retry: 'backoff',
    countsAgainstClient: false,
    title: 'The upstream did not answer in time',
    detail: 'The gateway admitted the ticket, but the back end behind it did not finish its handshake.',
  },
  upstream_refused: {
    status: 502,
    retry: 'never',
    countsAgainstClient: false,
    title: 'The upstream refused the connection',
    detail: 'The gateway admitted the ticket, but the back end behind it answered something other than 101.',
  },
} as const satisfies Record<string, Row>;

export type RefusalCode = keyof typeof refusals;

/** The codes in the order of the table. */
export const refusalCodes = Object.keys(refusals) as RefusalCode[]; // the keys of a literal are its type's keys

export function isRefusalCode(value: string): value is RefusalCode {
  return Object.hasOwn(refusals, value);
}

/** One field of a request that is out of bounds: an item of the `errors` extension (RFC 9457 §3). */
export interface FieldError {
  /** JSON Pointer to the field (RFC 6901, URI fragment form), for example `#/ttl_seconds`. */
  readonly pointer: string;
  readonly detail: string;
}

/** A 4xx answer of an upstream. */
export interface PassedOn {
  readonly status: number;
  /** `Content-Type`, `WWW-Authenticate` and the like; nothing about framing. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** Empty if the answer had no body, or one that is too long: then the problem document takes its place. */
  readonly body: Uint8Array;
}

/** An expected "no". What is absent here comes from the row of its code. */
export interface Refusal {
  readonly code: RefusalCode;
  /** Public id of the ticket, if one was presented in the right form. */
  readonly ticketId?: string;
  /** Seconds to wait, if better known than those of the row. */
  readonly retryAfterSeconds?: number | undefined;
  /** With `request_invalid`: every field that is out of bounds. */
  readonly errors?: readonly FieldError[];
  /** With `method_not_allowed`: the methods that are allowed. */
  readonly allow?: readonly string[];
  /** Replaces the detail of the row if more can be said. It never repeats what the client sent. */
  readonly detail?: string;
  /** With `upstream_refused`: the upstream's own answer, which replaces the problem document. */
  readonly passedOn?: PassedOn;
  /** With a 401 of the ticket service: one challenge for each configured scheme. */
  readonly challenges?: readonly string[];
}

/** The row of a code, with every column that a row may have. */
export function rowOf(code: RefusalCode): Row {
  return refusals[code];
}
