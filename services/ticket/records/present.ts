import type { TicketRecord } from '../../../shared/store/store.ts';
import { timestamp } from '../answers/json.ts';

function timestampOrNull(unixMs: number | undefined): string | null {
  return unixMs === undefined ? null : timestamp(unixMs);
}

/** A ticket's record as `GET /tickets/<id>` shows it. */
export function presentTicket(record: TicketRecord): Record<string, unknown> {
  const { lastAttempt } = record;
  return {
    id: record.id,
    subject: record.subject,
    state: record.state,
    issued_at: timestamp(record.issuedAt),
    expires_at: timestamp(record.expiresAt),
    opened_at: timestampOrNull(record.openedAt),
    closed_at: timestampOrNull(record.closedAt),
    session_expires_at: mayHaveSession(record) ? timestamp(record.sessionExpiresAt) : null,
    gateway: record.gatewayId ?? null,
    close: record.closeCode === undefined ? null : { code: record.closeCode, reason: record.closeReason ?? '' },
    attempts: record.attempts,
    last_attempt: lastAttempt
      ? {
          at: timestamp(lastAttempt.at),
          outcome: lastAttempt.outcome,
          status: lastAttempt.status,
          gateway: lastAttempt.gatewayId,
          origin: lastAttempt.origin ?? null,
          address: lastAttempt.address ?? null,
        }
      : null,
  };
}

/** A ticket that can no longer open has no session, unless it opened before. */
function mayHaveSession(record: TicketRecord): boolean {
  return record.state === 'issued' || record.openedAt !== undefined;
}
