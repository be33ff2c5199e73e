import { timingSafeEqual } from 'node:crypto';
import { closeCodes, type StoreCloseReason } from '../../close-codes.ts';
import { type RefusalCode, rowOf } from '../../refusals.ts';
import { present, type RecordHash } from '../record.ts';
import type { Admitted, ConsumeRefusal, IssueRequest, NoteRequest, TicketState } from '../store.ts';

/** The fields of a record as in Redis, with those that every record has. */
export type StoredHash = RecordHash & { subject: string; state: TicketState };

/** When a session ends that begins or is renewed now. Unix ms. */
export function sessionEnd(now: number, request: Pick<IssueRequest, 'maxSessionMs' | 'credentialsExpireAt'>): number {
  return Math.min(now + request.maxSessionMs, request.credentialsExpireAt ?? Number.POSITIVE_INFINITY);
}

export function sameSecret(hash: RecordHash, secretSha256: string): boolean {
  // A record that a lease has restored knows no secret.
  if (hash.secret_sha256 === undefined) return false;
  const stored = Buffer.from(hash.secret_sha256);
  const presented = Buffer.from(secretSha256);
  return stored.length === presented.length && timingSafeEqual(stored, presented);
}

/** The attempt that decided the ticket, and the outcome it got. */
export function splitAttempt({ attempt }: RecordHash): { attemptId: string; outcome: string } | undefined {
  const [attemptId, outcome] = attempt?.split(':') ?? [];
  return attemptId === undefined || outcome === undefined ? undefined : { attemptId, outcome };
}

/** The refusal of a ticket that is spent. */
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

/** Writes one presentation of the ticket on its record. */
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
  Object.assign(hash, present({ last_attempt_origin: origin, last_attempt_address: address }));
}

export function admitted(hash: StoredHash, replaced: Admitted['replaced']): Admitted {
  return {
    code: 'admitted',
    subject: hash.subject,
    ...present({ audience: hash.audience, claims: hash.claims }),
    openedAt: Number(hash.opened_at),
    sessionExpiresAt: Number(hash.session_expires_at),
    replaced,
  };
}
