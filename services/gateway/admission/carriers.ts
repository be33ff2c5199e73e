import {
  CARRIERS,
  type Carrier,
  TICKET_PARAMETER,
  TICKET_PROTOCOL_PREFIX,
  TICKET_SCHEME,
} from '../../../shared/ticket/carriers.ts';
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

const SCHEME = new RegExp(`^${TICKET_SCHEME}(?: |$)`, 'i');
const AUTHORIZATION = new RegExp(`^${TICKET_SCHEME} +(\\S+) *$`, 'i');
/** A ticket among the credentials of a header that was made of several, as RFC 9110 §5.3 has lists joined. */
const CREDENTIALS = new RegExp(`(?:^|,) *${TICKET_SCHEME} +([^\\s,]+)`, 'gi');

/**
 * Takes the ticket out of its carrier, or returns null where there is more than one.
 * A carrier that is not accepted is emptied all the same, and what was in it does not count.
 */
export function takeTicket(carriers: Carriers, accepted: readonly Carrier[]): TakenTicket | null {
  const values = valuesIn(carriers);
  if (values.length > 1) return null;
  return {
    presented: presentedIn(values.find(([carrier]) => accepted.includes(carrier))?.[1]),
    query: parametersOf(carriers)
      .filter((parameter) => !isTicketParameter(parameter))
      .join('&'),
    protocols: carriers.protocols.filter((protocol) => !protocol.startsWith(TICKET_PROTOCOL_PREFIX)),
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
export function ticketsIn(carriers: BrowserCarriers, authorizations: readonly string[]): Ticket[] {
  const elsewhere = valuesInBrowserCarriers(carriers).map(([, value]) => value);
  const inHeaders = authorizations.flatMap((header) =>
    Array.from(header.matchAll(CREDENTIALS), ([, value = '']) => value),
  );
  const values = [...new Set([...elsewhere, ...inHeaders])];
  return values.flatMap((value) => parseTicket(value) ?? []).slice(0, MAX_TICKETS);
}

function parametersOf({ query }: BrowserCarriers): string[] {
  return query === '' ? [] : query.split('&');
}

/** Whatever is where a ticket would be. */
function valuesIn(carriers: Carriers): Array<readonly [Carrier, string]> {
  const header = carriers.authorization ?? '';
  const values = valuesInBrowserCarriers(carriers);
  return SCHEME.test(header) ? [...values, ['authorization', AUTHORIZATION.exec(header)?.[1] ?? '']] : values;
}

function valuesInBrowserCarriers(carriers: BrowserCarriers): Array<readonly [Carrier, string]> {
  const inQuery = parametersOf(carriers).filter(isTicketParameter);
  const inProtocols = carriers.protocols.filter((protocol) => protocol.startsWith(TICKET_PROTOCOL_PREFIX));
  return [
    ...inQuery.map((parameter) => ['query', parameter.slice(parameter.indexOf('=') + 1)] as const),
    ...inProtocols.map((protocol) => ['subprotocol', protocol.slice(TICKET_PROTOCOL_PREFIX.length)] as const),
  ];
}

function presentedIn(value: string | undefined): PresentedTicket {
  if (value === undefined) return { kind: 'missing' };
  const ticket = parseTicket(value);
  return ticket === null ? { kind: 'malformed' } : { kind: 'ticket', ticket };
}

/** Whatever a parser behind the gateway would take for the parameter `ticket`, however it is spelt. */
function isTicketParameter(parameter: string): boolean {
  const [name = ''] = parameter.split('=', 1);
  if (name === TICKET_PARAMETER) return true;
  // Some parsers take a question mark in front for the one that begins the query.
  return /^\?|%/.test(name) && new URLSearchParams(name).has(TICKET_PARAMETER);
}
