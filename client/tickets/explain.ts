import { type ConnectCode, ConnectRefused } from '../errors/connect-refused.ts';
import type { TicketRecord } from './ticket-record.ts';
import type { TicketService } from './ticket-service.ts';

/**
 * Asks the ticket service once why the handshake with a ticket failed.
 *
 * @param isOwn whether the client's own credentials bought the ticket, so that a 404 means: there is none
 * @param seen the request line of the handshake
 * @throws the signal's reason
 */
export async function askWhy(
  service: TicketService,
  ticketId: string,
  isOwn: boolean,
  seen: string,
): Promise<ConnectRefused> {
  try {
    return explain(await service.record(ticketId), seen);
  } catch (cause) {
    if (!(cause instanceof ConnectRefused)) throw cause;
    const details = { ticketId, retryAfter: cause.retryAfter, cause };
    if (cause.code === 'store_unavailable') return new ConnectRefused(cause.code, { ...details, status: 503 });
    // The store has lost the ticket, so the gateway found as little.
    if (cause.code === 'not_found' && isOwn) return new ConnectRefused('ticket_unknown', { ...details, status: 401 });
    return new ConnectRefused('unexplained', details);
  }
}

/** Why the handshake with a ticket failed, by its record. */
export function explain({ id: ticketId, close, last_attempt }: TicketRecord, seen?: string): ConnectRefused {
  if (!last_attempt) return new ConnectRefused('not_seen', { ticketId, seen });
  const { outcome, status } = last_attempt;
  // Any other outcome is a code of the table of refusals.
  if (outcome !== 'admitted') return new ConnectRefused(outcome as ConnectCode, { status, ticketId });
  if (close?.reason === 'store_unavailable') return new ConnectRefused(close.reason, { status: 503, ticketId });
  return new ConnectRefused('connection_lost', { ticketId });
}
