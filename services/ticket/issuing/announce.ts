import type { Settings } from '../../../shared/settings/table.ts';
import {
  type Carrier,
  ONCEGATE_PROTOCOL,
  TICKET_PARAMETER,
  TICKET_PROTOCOL_PREFIX,
} from '../../../shared/ticket/carriers.ts';
import { formatTicket, type Ticket } from '../../../shared/ticket/ticket.ts';

/** What tickets tell their clients of the gateways. */
export interface Announcement {
  /** Where the gateways are, for example `wss://chat.example.org`: a path is put behind it, so it ends without a slash. */
  readonly gatewayUrl: string;
  readonly carriers: readonly Carrier[];
}

/** What the settings say of the gateways; without `GATEWAY_URL` one on this machine. */
export function announcementOf(settings: Settings): Announcement {
  const gatewayUrl =
    settings.gatewayUrl ?? `${settings.tlsCertFile === undefined ? 'ws' : 'wss'}://localhost:${settings.gatewayPort}`;
  return { gatewayUrl: gatewayUrl.replace(/\/+$/, ''), carriers: settings.ticketCarriers };
}

/** The ways to present a ticket: a URL for curl and wscat, and subprotocols for a browser. */
export function waysToPresent(ticket: Ticket, path: string | undefined, { gatewayUrl, carriers }: Announcement) {
  const value = formatTicket(ticket);
  return {
    url: gatewayUrl,
    connect_url: carriers.includes('query') ? `${gatewayUrl}${path ?? '/'}?${TICKET_PARAMETER}=${value}` : null,
    protocols: [ONCEGATE_PROTOCOL, `${TICKET_PROTOCOL_PREFIX}${value}`],
  };
}
