/** How a ticket is carried to a gateway: names that the ticket service announces and the gateway reads. */

/** Where a ticket may be presented (`TICKET_CARRIERS`). */
export const CARRIERS = ['query', 'subprotocol', 'authorization'] as const;
export type Carrier = (typeof CARRIERS)[number];

/** The query parameter that holds a ticket. */
export const TICKET_PARAMETER = 'ticket';

/** The prefix of a subprotocol that holds a ticket. */
export const TICKET_PROTOCOL_PREFIX = 'oncegate.ticket.';

/** The subprotocol that a client offers besides its own: a browser needs one that the answer can choose. */
export const ONCEGATE_PROTOCOL = 'oncegate.v1';

/** The scheme of the `Authorization` header, and of the gateway's challenge (RFC 9110 §11.1). */
export const TICKET_SCHEME = 'Ticket';

/** `/~<ticket id>`: the first path segment of an attempt, so that each attempt has its own path. */
export function idSegment(ticketId: string): string {
  return `/~${ticketId}`;
}
