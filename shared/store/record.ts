import { ABNORMAL_CLOSURE } from '../close-codes.ts';
import type { RefusalCode } from '../refusals.ts';
import type { TicketRecord, TicketState } from './store.ts';

/** The fields of a record's hash, in the order in which they are written (times in Unix ms). */
export const recordFields = {
  subject: 'whom the connection acts for',
  audience: 'the gateway pool or application that the ticket is for',
  path: 'the path that the ticket is for',
  origin: 'the Origin of the request that asked for the ticket',
  address: 'the network address that asked for the ticket',
  claims: 'JSON object, handed to the backend',
  secret_sha256: 'SHA-256 of the secret, lower-case hex',
  state: 'issued, open, closed, refused, expired or revoked',
  attempt: 'the attempt that spent the ticket and its outcome: `<attempt id>:<outcome>`',
  issued_at: 'when it was issued',
  expires_at: 'when it expires unspent',
  session_expires_at: 'when the connection that it buys ends at the latest',
  gateway: 'id of the gateway that holds or held the connection',
  opened_at: 'when the connection was admitted',
  closed_at: 'when the connection ended',
  close_code: 'WebSocket close code (RFC 6455 section 7.4)',
  close_reason: 'close reason, at most 123 bytes',
  attempts: 'presentations with the right secret, those refused before consume included',
  last_attempt_at: 'when it was last presented',
  last_attempt_outcome: '`admitted` or the code of the refusal',
  last_attempt_status: 'HTTP status of the answer',
  last_attempt_gateway: 'the gateway that it was presented to',
  last_attempt_origin: 'the Origin of that request',
  last_attempt_address: 'the network address that it came from',
} as const;

export type RecordField = keyof typeof recordFields;
export type RecordHash = Partial<Record<RecordField, string>>;

/**
 * The record of a ticket as it stands now. Two things only the clock knows: that an unspent ticket has
 * expired, and that an open connection's gateway no longer renews its lease, so that it is gone
 * without a Close frame.
 *
 * @param now Unix ms, by the clock of the store
 * @param leaseDeadline Unix ms, or 0 where the connection is not in its subject's set
 */
export function recordOf(id: string, hash: RecordHash, now: number, leaseDeadline: number): TicketRecord {
  const { subject, gateway, claims, audience, path, origin, address } = hash;
  const state = hash.state as TicketState; // only the scripts and the in-memory store write this field
  const expired = state === 'issued' && now >= Number(hash.expires_at);
  const lapsed = state === 'open' && now >= leaseDeadline;
  const lastOutcome = hash.last_attempt_outcome as 'admitted' | RefusalCode | undefined; // likewise
  return {
    id,
    subject: subject ?? '',
    state: expired ? 'expired' : lapsed ? 'closed' : state,
    issuedAt: Number(hash.issued_at),
    expiresAt: Number(hash.expires_at),
    sessionExpiresAt: Number(hash.session_expires_at),
    attempts: Number(hash.attempts),
    ...present({ audience, path, origin, address, claims, gatewayId: gateway }),
    ...present({
      openedAt: numeric(hash.opened_at),
      // Of a lapsed connection nobody saw the end.
      closedAt: lapsed ? undefined : numeric(hash.closed_at),
      closeCode: lapsed ? ABNORMAL_CLOSURE : numeric(hash.close_code),
      closeReason: hash.close_reason,
    }),
    ...(lastOutcome !== undefined && {
      lastAttempt: {
        at: Number(hash.last_attempt_at),
        outcome: lastOutcome,
        status: Number(hash.last_attempt_status),
        gatewayId: hash.last_attempt_gateway ?? '',
        ...present({ origin: hash.last_attempt_origin, address: hash.last_attempt_address }),
      },
    }),
  };
}

/**
 * A subject's records, the newest first. Left out are ids of another subject with the same digest, and
 * those that only the clock has ended: they stay in their set until the next write drops them.
 */
export function newestFirst(records: ReadonlyArray<TicketRecord | null>, subject: string): TicketRecord[] {
  return records
    .filter((record) => record !== null)
    .filter((record) => record.subject === subject && record.state !== 'expired' && record.state !== 'closed')
    .sort((a, b) => b.issuedAt - a.issuedAt || (a.id < b.id ? -1 : 1));
}

function numeric(value: string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** An object without the fields that are undefined or empty: absent rather than empty. */
export function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== '')) as {
    [K in keyof T]?: Exclude<T[K], undefined>; // fromEntries forgets the keys it was given
  };
}
