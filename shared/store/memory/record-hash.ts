import { timingSafeEqual } from 'node:crypto';
import { closeCodes, type StoreCloseReason } from '../../close-codes.ts';
import { type RefusalCode, rowOf } from '../../refusals.ts';
import { type RecordHash, withoutEmpty } from '../record.ts';
import type { Admitted, ConsumeRefusal, IssueRequest, NoteRequest, TicketState } from '../store.ts';

/** The fields of a record as in Redis. Every record has at least these two. */
export type StoredHash = RecordHash & { subject: string; state: TicketState };

/** The clocks of two machines that are closer are taken for the same. */
const SAME_CLOCK_MS = 1_000;

/** When credentials expire, by the clock of the store. */
export function expiryHere(
  now: number,
  { credentialsExpireAt, asOf = now }: Pick<IssueRequest, 'credentialsExpireAt' | 'asOf'>,
): number | undefined {
  const skew = Math.abs(now - asOf) <= SAME_CLOCK_MS ? 0 : now - asOf;
  return credentialsExpireAt === undefined ? undefined : credentialsExpireAt + skew;
}

export function sameSecret(hash: RecordHash, secretSha256: string): boolean {
  // A record that a lease restored has no secret.
  if (hash.secret_sha256 === undefined) return false;
  const stored = Buffer.from(hash.secret_sha256);
  const presented = Buffer.from(secretSha256);
  return stored.length === presented.length && timingSafeEqual(stored, presented);
}

/** The attempt that spent the ticket, and its outcome. */
export function splitAttempt({ attempt }: RecordHash): { attemptId: string; outcome: string } | undefined {
  const [attemptId, outcome] = attempt?.split(':') ?? [];
  return attemptId === undefined || outcome === undefined ? undefined : { attemptId, outcome };
}

/** The refusal of a spent ticket, or undefined if it is unspent. */
export function spentOutcome({ state }: StoredHash): ConsumeRefusal | undefined {
  if (state === 'issued') return undefined;
  if (state === 'revoked') return 'ticket_revoked';
  return state === 'expired' ? 'ticket_expired' : 'ticket_consumed';
}

export function markForClosing(hash: StoredHash, reason: StoreCloseReason): void {
  hash.state = 'revoked';
  hash.close_code = String(closeCodes[reason].code);
  hash.close_reason = reason;
}

/** A ticket that never opened and never will needs none of what it would have bought. */
export function dropBindings(hash: StoredHash): void {
  delete hash.path;
  delete hash.claims;
  delete hash.client_claims;
}

/** Writes one attempt on the ticket's record. */
export function noteAttempt(
  hash: StoredHash,
  now: number,
  outcome: 'admitted' | RefusalCode,
  { gatewayId, origin, address }: Pick<NoteRequest, 'gatewayId' | 'origin' | 'address'>,
): void {
  hash.attempts = String(Number(hash.attempts) + 1);
  hash.last_attempt_at = String(now);
  hash.last_attempt_outcome = outcome;
  hash.last_attempt_status = String(outcome === 'admitted' ? 101 : rowOf(outcome).status);
  hash.last_attempt_gateway = gatewayId;
  delete hash.last_attempt_origin;
  delete hash.last_attempt_address;
  Object.assign(hash, withoutEmpty({ last_attempt_origin: origin, last_attempt_address: address }));
}

export function admitted(hash: StoredHash, replaced: Admitted['replaced']): Admitted {
  return {
    code: 'admitted',
    subject: hash.subject,
    ...withoutEmpty({ audience: hash.audience, claims: hash.claims, clientClaims: hash.client_claims }),
    openedAt: Number(hash.opened_at),
    sessionExpiresAt: Number(hash.session_expires_at),
    replaced,
  };
}
