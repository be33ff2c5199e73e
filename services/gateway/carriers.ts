import type { Carrier } from '../../shared/settings/table.ts';
import { parseTicket, type Ticket } from '../../shared/ticket.ts';

/** What was presented: no ticket, something that is not one, or a ticket (which may be worth nothing). */
export type PresentedTicket =
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'ticket'; readonly ticket: Ticket };

interface Carriers {
  /** The query, without its question mark. */
  readonly query: string;
  readonly protocols: readonly string[];
  readonly authorization: string | undefined;
}

interface TakenTicket {
  readonly presented: PresentedTicket;
  /** What is left once the ticket is taken out: nothing behind the gateway ever sees it. */
  readonly query: string;
  readonly protocols: readonly string[];
}

const PROTOCOL_PREFIX = 'oncegate.ticket.';
const AUTHORIZATION = /^ticket +(\S+) *$/i;

/**
 * Takes the ticket out of its carrier, or returns null where there is more than one.
 * A carrier that is not accepted is emptied all the same, and what was in it does not count.
 */
export function takeTicket(carriers: Carriers, accepted: readonly Carrier[]): TakenTicket | null {
  const parameters = carriers.query === '' ? [] : carriers.query.split('&');
  const inQuery = parameters.filter(isTicketParameter);
  const inProtocols = carriers.protocols.filter((protocol) => protocol.startsWith(PROTOCOL_PREFIX));
  const inAuthorization = /^ticket(?: |$)/i.test(carriers.authorization ?? '') ? [carriers.authorization ?? ''] : [];
  if (inQuery.length + inProtocols.length + inAuthorization.length > 1) return null;

  const values: Array<readonly [Carrier, string]> = [
    ...inQuery.map((parameter) => ['query', parameter.slice(parameter.indexOf('=') + 1)] as const),
    ...inProtocols.map((protocol) => ['subprotocol', protocol.slice(PROTOCOL_PREFIX.length)] as const),
    ...inAuthorization.map((header) => ['authorization', AUTHORIZATION.exec(header)?.[1] ?? ''] as const),
  ];
  return {
    presented: presentedIn(values.find(([carrier]) => accepted.includes(carrier))?.[1]),
    query: parameters.filter((parameter) => !isTicketParameter(parameter)).join('&'),
    protocols: carriers.protocols.filter((protocol) => !protocol.startsWith(PROTOCOL_PREFIX)),
  };
}

function presentedIn(value: string | undefined): PresentedTicket {
  if (value === undefined) return { kind: 'missing' };
  const ticket = parseTicket(value);
  return ticket === null ? { kind: 'malformed' } : { kind: 'ticket', ticket };
}

/** Whatever a parser behind the gateway would take for the parameter `ticket`, however it is spelt. */
function isTicketParameter(parameter: string): boolean {
  const [name = ''] = parameter.split('=', 1);
  if (name === 'ticket') return true;
  return name.includes('%') && new URLSearchParams(name).has('ticket');
}
