/**
 * How a ticket is carried to a gateway: the words that the ticket service announces and the gateway
 * looks for.
 */

/** Where a ticket may be presented (`TICKET_CARRIERS`). */
export const CARRIERS = ['query', 'subprotocol', 'authorization'] as const;
export type Carrier = (typeof CARRIERS)[number];

/** The query parameter. */
export const TICKET_PARAMETER = 'ticket';

/** What a subprotocol begins with that is a ticket. */
export const TICKET_PROTOCOL_PREFIX = 'oncegate.ticket.';

/** The subprotocol that a client offers beside its own, so that a browser has one to be answered with. */
export const ONCEGATE_PROTOCOL = 'oncegate.v1';

/** The scheme of the `Authorization` header, and of the gateway's challenge (RFC 9110 §11.1). */
export const TICKET_SCHEME = 'Ticket';

/** `/~<ticket id>`: a first path segment that gives each attempt a path of its own. */
export function idSegment(ticketId: string): string {
  return `/~${ticketId}`;
}
