import { hostInUrl } from '../../../shared/http/host-in-url.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { type Carrier, carriers, ONCEGATE_PROTOCOL } from '../../../shared/ticket/carriers.ts';
import { formatTicket, type Ticket } from '../../../shared/ticket/ticket.ts';

/** What a ticket tells its client about the gateways. */
export interface Announcement {
  /** The URL of the gateways, without a slash at the end: `wss://chat.example.org`. A path is appended to it. */
  readonly gatewayUrl: string;
  readonly carriers: readonly Carrier[];
}

/** The announcement that the settings describe. Without `GATEWAY_URL` it names a gateway on this machine. */
export function announcementOf(settings: Settings): Announcement {
  const gatewayUrl =
    settings.gatewayUrl ??
    `${settings.tlsCertFile === undefined ? 'ws' : 'wss'}://${hostInUrl(settings.host)}:${settings.gatewayPort}`;
  return { gatewayUrl: gatewayUrl.replace(/\/+$/, ''), carriers: settings.ticketCarriers };
}

/** How a client can carry a ticket: in a URL for curl and wscat, in subprotocols for a browser. */
export function waysToPresent(ticket: Ticket, path: string | undefined, announcement: Announcement) {
  const { gatewayUrl, carriers: accepted } = announcement;
  const value = formatTicket(ticket);
  return {
    url: gatewayUrl,
    connect_url: accepted.includes('query') ? `${gatewayUrl}${path ?? '/'}?${carriers.query.write(value)}` : null,
    protocols: [ONCEGATE_PROTOCOL, carriers.subprotocol.write(value)],
  };
}
