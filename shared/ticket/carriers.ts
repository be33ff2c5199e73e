/**
 * THE table of carriers: where a ticket may be presented to a gateway (`TICKET_CARRIERS`). A row says how a ticket is
 * written there, found there and taken out. Each carrier is a list of pieces: parameters, subprotocols or one header
 * value. A piece carries a ticket, or it is the application's own.
 */

interface Row {
  /** Where a ticket is, in words for a person. */
  readonly label: string;
  /** The header that holds the pieces, in lower case; absent for the query. */
  readonly header?: string;
  /** What separates the pieces in one header; absent if the value is one piece. */
  readonly separator?: string;
  /** The piece that carries a ticket value. */
  readonly write: (value: string) => string;
  /** Whether a piece is where a ticket belongs, whatever it holds. */
  readonly carries: (piece: string) => boolean;
  /** What such a piece holds as the ticket value; it may be empty. */
  readonly read: (piece: string) => string;
}

/** The query parameter that holds a ticket. */
const PARAMETER = 'ticket';

/** The prefix of a subprotocol that holds a ticket. */
const PROTOCOL_PREFIX = 'oncegate.ticket.';

/** The scheme of the `Authorization` header, and of the gateway's challenge (RFC 9110 §11.1). */
export const TICKET_SCHEME = 'Ticket';

const SCHEME = new RegExp(`^${TICKET_SCHEME}(?: |$)`, 'i');
const CREDENTIALS = new RegExp(`^${TICKET_SCHEME} +(\\S+) *$`, 'i');

export const carriers = {
  query: {
    label: 'the query',
    write: (value) => `${PARAMETER}=${value}`,
    carries: isTicketParameter,
    read: (parameter) => parameter.slice(parameter.indexOf('=') + 1),
  },
  subprotocol: {
    label: 'the subprotocol',
    header: 'sec-websocket-protocol',
    separator: ',',
    write: (value) => PROTOCOL_PREFIX + value,
    carries: (protocol) => protocol.startsWith(PROTOCOL_PREFIX),
    read: (protocol) => protocol.slice(PROTOCOL_PREFIX.length),
  },
  authorization: {
    label: 'the Authorization header',
    header: 'authorization',
    write: (value) => `${TICKET_SCHEME} ${value}`,
    carries: (header) => SCHEME.test(header),
    read: (header) => CREDENTIALS.exec(header)?.[1] ?? '',
  },
} as const satisfies Record<string, Row>;

export type Carrier = keyof typeof carriers;

/** The carriers in the order of the table. */
export const CARRIERS = Object.keys(carriers) as Carrier[]; // the keys of a literal are its type's keys

/** The row of a carrier, with every column that a row may have. */
export function carrierRow(carrier: Carrier): Row {
  return carriers[carrier];
}

/** Whether any parser of a back end would read the name as `ticket`, in whatever spelling. */
function isTicketParameter(parameter: string): boolean {
  const [name = ''] = parameter.split('=', 1);
  if (name === PARAMETER) return true;
  // Some parsers take a question mark at the start for the one that begins the query.
  return /^\?|%/.test(name) && new URLSearchParams(name).has(PARAMETER);
}

/** The subprotocol that a client offers besides its own: a browser needs one that the answer can choose. */
export const ONCEGATE_PROTOCOL = 'oncegate.v1';

/** `/~<ticket id>`: the first path segment of an attempt, so that each attempt has its own path. */
export function idSegment(ticketId: string): string {
  return `/~${ticketId}`;
}
