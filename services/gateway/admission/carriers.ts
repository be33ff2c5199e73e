import { trimBlanks } from '../../../shared/http/white-space.ts';
import { CARRIERS, type Carrier, carrierRow } from '../../../shared/ticket/carriers.ts';
import { parseTicket, type Ticket } from '../../../shared/ticket/ticket.ts';

/** What was presented: no ticket, something that is not one, or a ticket (which may be worth nothing). */
export type PresentedTicket =
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'ticket'; readonly ticket: Ticket };

/** The carriers that a browser can fill. */
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
  /** What is left once the ticket is taken out: nothing behind the gateway ever sees it. */
  readonly query: string;
  readonly protocols: readonly string[];
}

/** The pieces of a request that may carry a ticket. */
type Pieces = Readonly<Record<Carrier, readonly string[]>>;

/**
 * Takes the ticket out of its carrier, or returns null where there is more than one.
 * A carrier that is not accepted is emptied all the same, and what was in it does not count.
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

/** As many tickets as there are carriers: whoever presents more of them explains nothing by it. */
const MAX_TICKETS = CARRIERS.length;

/**
 * The tickets in a request that is refused whatever it carries, in any carrier, each once however often it
 * is there. Their holder has proved each one's secret, or has not: the store knows.
 *
 * @param authorizations every `Authorization` header that there is, although there may be but one
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

/** The headers that carry tickets, in lower case. */
export const TICKET_HEADERS = CARRIERS.flatMap((carrier) => carrierRow(carrier).header ?? []);

/**
 * The headers of a request, each a name and a value, without the ticket.
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

/** What of a header is the application's own; undefined if nothing is. */
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

/** Scheme and first word of each credentials in a header that was made of several, as RFC 9110 §5.3 joins lists. */
function credentialsIn(header: string): string[] {
  return Array.from(header.matchAll(/(?:^|,) *([^\s,]+ +[^\s,]+)/g), ([, credentials = '']) => credentials);
}

function presentedIn(value: string): PresentedTicket {
  const ticket = parseTicket(value);
  return ticket === null ? { kind: 'malformed' } : { kind: 'ticket', ticket };
}
