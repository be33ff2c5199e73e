import { ABNORMAL_CLOSURE } from '../close-codes.ts';
import { isRefusalCode, type RefusalCode } from '../refusals.ts';
import { type ListPage, type ListPosition, type TicketRecord, ticketStates } from './store.ts';

/** The fields of a record's hash, in the order in which they are written (times in Unix ms). */
export const recordFields = {
  subject: 'whom the connection acts for',
  audience: 'the gateway pool or application that the ticket is for',
  path: 'the path that the ticket is for',
  origin: 'the Origin of the request that asked for the ticket',
  address: 'the network address that asked for the ticket',
  claims: 'JSON object: claims that the credentials, the policy or an API key vouches for',
  client_claims: 'JSON object: claims that the caller itself asked for',
  secret_sha256: 'SHA-256 of the secret, lower-case hex',
  state: 'issued, open, handed_over, closed, refused, expired or revoked',
  attempt: 'the attempt that spent the ticket and its outcome: `<attempt id>:<outcome>`',
  issued_at: 'when it was issued',
  expires_at: 'when it expires unspent',
  session_expires_at: 'when the connection that it buys ends at the latest',
  credentials_expire_at: 'when the credentials expire that the subject itself presented last',
  gateway: 'id of the gateway that holds or held the connection',
  opened_at: 'when the connection was admitted',
  closed_at: 'when the connection ended',
  close_code: 'WebSocket close code (RFC 6455 section 7.4)',
  close_reason: 'close reason, at most 123 bytes',
  attempts: 'attempts with the right secret, including those refused before consume',
  last_attempt_at: 'when it was last presented',
  last_attempt_outcome: '`admitted` or the code of the refusal',
  last_attempt_status: 'HTTP status of the answer',
  last_attempt_gateway: 'the gateway that it was presented to',
  last_attempt_origin: 'the Origin of that request',
  last_attempt_address: 'the network address that it came from',
} as const;

export type RecordField = keyof typeof recordFields;

/** The fields that a list needs: what it shows, and the audience for which a key may see it. */
export const listedFields = [
  ...([
    'subject',
    'audience',
    'state',
    'issued_at',
    'expires_at',
    'session_expires_at',
    'gateway',
    'opened_at',
  ] as const),
  ...(['closed_at', 'close_code', 'close_reason', 'attempts', 'last_attempt_at', 'last_attempt_outcome'] as const),
  ...(['last_attempt_status', 'last_attempt_gateway', 'last_attempt_origin', 'last_attempt_address'] as const),
] as const satisfies readonly RecordField[];

export type RecordHash = Partial<Record<RecordField, string>>;

/** A record as it was read. */
export interface Reading {
  readonly record: TicketRecord;
  /** Whether it is in its subject's list: the ticket is unspent, or the lease of its connection has not lapsed. */
  readonly listed: boolean;
}

/** A record that no script writes. The message names the field and not its value. */
export class MalformedRecord extends Error {
  override readonly name = 'MalformedRecord';

  constructor(id: string, field: RecordField) {
    super(`the record of ticket ${id} is malformed: ${field}`);
  }
}

/**
 * The record of a ticket as it is now. Two states depend on the clock and are not stored: an unspent ticket has
 * expired, or the lease of an open connection has lapsed. In the second case its gateway is gone, and the
 * connection ended without a Close frame.
 *
 * @param now Unix ms, by the clock of the store
 * @param leaseDeadline Unix ms, or 0 if the connection is not in its subject's set
 * @throws MalformedRecord
 */
export function readRecord(id: string, hash: RecordHash, now: number, leaseDeadline: number): Reading {
  const malformed = (field: RecordField): never => {
    throw new MalformedRecord(id, field);
  };
  const text = (field: RecordField): string => hash[field] || malformed(field);
  const optionalNumber = (field: RecordField): number | undefined => {
    const value = hash[field];
    if (value === undefined) return undefined;
    return WHOLE_NUMBER.test(value) ? Number(value) : malformed(field);
  };
  const number = (field: RecordField): number => optionalNumber(field) ?? malformed(field);
  const outcome = (field: RecordField): 'admitted' | RefusalCode => {
    const value = text(field);
    return value === 'admitted' || isRefusalCode(value) ? value : malformed(field);
  };

  const stored = ticketStates.find((state) => state === hash.state) ?? malformed('state');
  const expiresAt = number('expires_at');
  const expired = stored === 'issued' && now >= expiresAt;
  const lapsed = stored === 'open' && now >= leaseDeadline;
  const state = expired ? 'expired' : lapsed ? 'closed' : stored;
  const { gateway, claims, client_claims: clientClaims, audience, path, origin, address } = hash;
  const record: TicketRecord = {
    id,
    subject: text('subject'),
    state,
    issuedAt: number('issued_at'),
    expiresAt,
    sessionExpiresAt: number('session_expires_at'),
    attempts: number('attempts'),
    ...withoutEmpty({ audience, path, origin, address, claims, clientClaims, gatewayId: gateway }),
    ...withoutEmpty({
      openedAt: optionalNumber('opened_at'),
      // Nobody saw when a lapsed connection ended.
      closedAt: lapsed ? undefined : optionalNumber('closed_at'),
      closeCode: lapsed ? ABNORMAL_CLOSURE : optionalNumber('close_code'),
      closeReason: hash.close_reason,
    }),
    ...(hash.last_attempt_at !== undefined && {
      lastAttempt: {
        at: number('last_attempt_at'),
        outcome: outcome('last_attempt_outcome'),
        status: number('last_attempt_status'),
        gatewayId: text('last_attempt_gateway'),
        ...withoutEmpty({ origin: hash.last_attempt_origin, address: hash.last_attempt_address }),
      },
    }),
  };
  return { record, listed: state === 'issued' || now < leaseDeadline };
}

const WHOLE_NUMBER = /^\d{1,16}$/;

/** The records of a page, without those that have ended meanwhile. */
export function recordsOf(readings: ReadonlyArray<Reading | null>): TicketRecord[] {
  return readings.filter((reading) => reading?.listed).flatMap((reading) => reading?.record ?? []);
}

/** One page of a list, newest first: at most `limit` that come behind the position `after`. */
export function pageOf<T extends ListPosition>(
  tickets: readonly T[],
  { limit, after }: ListPage,
): { readonly shown: T[]; readonly next?: ListPosition } {
  const behind = after === undefined ? tickets : tickets.filter((ticket) => newestFirst(after, ticket) < 0);
  const ordered = behind.toSorted(newestFirst);
  const shown = ordered.slice(0, limit);
  const last = shown.at(-1);
  const more = last !== undefined && ordered.length > limit;
  return { shown, ...(more && { next: { id: last.id, issuedAt: last.issuedAt } }) };
}

function newestFirst(a: ListPosition, b: ListPosition): number {
  return b.issuedAt - a.issuedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** The object without its fields that are undefined or empty. */
export function withoutEmpty<T extends Record<string, unknown>>(
  fields: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== '')) as {
    [K in keyof T]?: Exclude<T[K], undefined>; // fromEntries forgets the keys it was given
  };
}
