import { type ConnectCode, ConnectRefused } from './refused.ts';
import type { TicketRecord } from './ticket-service.ts';

/** Why the handshake with this ticket failed, by the ticket's record. */
export function explain({ id: ticketId, state, close, last_attempt: attempt }: TicketRecord): ConnectRefused {
  if (attempt === null) {
    return new ConnectRefused(state === 'revoked' ? 'ticket_revoked' : 'not_seen', { ticketId });
  }
  if (attempt.outcome !== 'admitted') {
    // The record's outcomes are codes of the table of refusals.
    return new ConnectRefused(attempt.outcome as ConnectCode, { status: attempt.status, ticketId });
  }
  if (close?.reason === 'store_unavailable') {
    return new ConnectRefused('store_unavailable', { status: 503, ticketId });
  }
  return new ConnectRefused('connection_lost', { ticketId });
}
