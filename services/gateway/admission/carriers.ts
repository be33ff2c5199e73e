import { trimBlanks } from '../../../shared/http/white-space.ts';
import { CARRIERS, type Carrier, carrierRow } from '../../../shared/ticket/carriers.ts';
import { parseTicket, type Ticket } from '../../../shared/ticket/ticket.ts';

/** What was presented: no ticket, a malformed one, or one in the right form, which may be unknown all the same. */
export type PresentedTicket =
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'ticket'; readonly ticket: Ticket };

/** The carriers that a browser can use. */
interface BrowserCarriers {
  /** The query, without its question mark. */
  readonly query: string;
  readonly protocols: readonly string[];
}

interface Carriers extends BrowserCarriers {
  readonly authorization: string | undefined;
}

interface TakenTicket {
  readonly presented: PresentedTicket;
  /** The query without the ticket. Nothing behind the gateway ever sees the ticket. */
  readonly query: string;
  readonly protocols: readonly string[];
}

/** The pieces of a request that may carry a ticket. */
type Pieces = Readonly<Record<Carrier, readonly string[]>>;

/**
 * Takes the ticket out of its carrier. A ticket in a carrier that is not accepted is taken out too, but counts as
 * missing.
 *
 * @returns null if there is more than one ticket
 */
export function takeTicket(
  { query, protocols, authorization }: Carriers,
  accepted: readonly Carrier[],
): TakenTicket | null {
  const pieces: Pieces = {
    query: parametersOf(query),
    subprotocol: protocols,
    authorization: authorization === undefined ? [] : [authorization],
  };
  let found: { readonly carrier: Carrier; readonly piece: string } | undefined;
  for (const carrier of CARRIERS) {
    for (const piece of pieces[carrier]) {
      if (!carrierRow(carrier).carries(piece)) continue;
      if (found !== undefined) return null;
      found = { carrier, piece };
    }
  }
  return {
    presented:
      found !== undefined && accepted.includes(found.carrier)
        ? presentedIn(carrierRow(found.carrier).read(found.piece))
        : { kind: 'missing' },
    query: ownPieces('query', pieces.query).join('&'),
    protocols: ownPieces('subprotocol', protocols),
  };
}

/** At most one ticket for each carrier is noted: a client that sends more gets no further explanation. */
const MAX_TICKETS = CARRIERS.length;

/**
 * The tickets in a request that is refused in any case, from all carriers, without duplicates. Only the store knows
 * whether their secrets are right.
 *
 * @param authorizations every `Authorization` header, although only one is allowed
 */
export function ticketsIn({ query, protocols }: BrowserCarriers, authorizations: readonly string[]): Ticket[] {
  const pieces: Pieces = {
    query: parametersOf(query),
    subprotocol: protocols,
    authorization: authorizations.flatMap(credentialsIn),
  };
  const values = CARRIERS.flatMap((carrier) => {
    const { carries, read } = carrierRow(carrier);
    return pieces[carrier].filter(carries).map(read);
  });
  return [...new Set(values)].flatMap((value) => parseTicket(value) ?? []).slice(0, MAX_TICKETS);
}

/** The names of the headers that can carry a ticket, in lower case. */
export const TICKET_HEADERS = CARRIERS.flatMap((carrier) => carrierRow(carrier).header ?? []);

/**
 * The headers of a request as pairs of name and value, without the ticket.
 *
 * @param rawHeaders names and values in turn, as they were sent
 */
export function headersWithoutTicket(rawHeaders: readonly string[]): Array<[name: string, value: string]> {
  const kept: Array<[string, string]> = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index]);
    const value = String(rawHeaders[index + 1]);
    const own = TICKET_HEADERS.includes(name.toLowerCase()) ? ownValue(name.toLowerCase(), value) : value;
    if (own !== undefined) kept.push([name, own]);
  }
  return kept;
}

/** The value of a header without the ticket; undefined if nothing is left. */
function ownValue(name: string, value: string): string | undefined {
  let own: string | undefined = value;
  for (const carrier of CARRIERS) {
    const { header, separator } = carrierRow(carrier);
    if (header !== name || own === undefined) continue;
    const pieces: string[] = separator === undefined ? [own] : own.split(separator).map(trimBlanks);
    const left = ownPieces(carrier, pieces);
    if (left.length < pieces.length) own = left.length === 0 ? undefined : left.join(`${separator} `);
  }
  return own;
}

/** The pieces that carry no ticket. */
function ownPieces(carrier: Carrier, pieces: readonly string[]): string[] {
  const { carries } = carrierRow(carrier);
  return pieces.filter((piece) => !carries(piece));
}

function parametersOf(query: string): string[] {
  return query === '' ? [] : query.split('&');
}

/** The scheme and the first word of each credentials in a header. Proxies join several into a list (RFC 9110 §5.3). */
function credentialsIn(header: string): string[] {
  return Array.from(header.matchAll(/(?:^|,) *([^\s,]+ +[^\s,]+)/g), ([, credentials = '']) => credentials);
}

function presentedIn(value: string): PresentedTicket {
  const ticket = parseTicket(value);
  return ticket === null ? { kind: 'malformed' } : { kind: 'ticket', ticket };
}
