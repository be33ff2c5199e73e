import { type ConnectCode, ConnectRefused } from '../errors/connect-refused.ts';
import type { TicketRecord } from './ticket-service.ts';

/** Why the handshake with this ticket failed, by the ticket's record. */
export function explain({ id: ticketId, close, last_attempt: attempt }: TicketRecord): ConnectRefused {
  let { outcome: code, status } = attempt ?? { outcome: 'not_seen' };
  if (code === 'admitted') {
    [code, status] = close?.reason === 'store_unavailable' ? [close.reason, 503] : ['connection_lost'];
  }
  // The record's outcomes are codes of the table of refusals.
  return new ConnectRefused(code as ConnectCode, { status, ticketId });
}
