/** Where an upgrade request carries its ticket. */
export type CarrierName = 'query' | 'subprotocol' | 'authorization';

export interface UpgradeRequestOptions {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  readonly ticket?: string;
  /** Where the ticket goes; by default into `Authorization`. */
  readonly carrier?: CarrierName;
  /** Replaces or adds headers; `null` leaves one out, a list repeats it. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
}

/** The lines of a valid upgrade request, unless the options break it. */
export function upgradeLines(options: UpgradeRequestOptions = {}): string[] {
  const {
    method = 'GET',
    target = '/',
    version = 'HTTP/1.1',
    ticket,
    carrier = 'authorization',
    headers = {},
  } = options;
  const query = ticket !== undefined && carrier === 'query' ? `?ticket=${ticket}` : '';
  const all = {
    Host: 'gateway.example',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...(ticket !== undefined && carrier === 'authorization' && { Authorization: `Ticket ${ticket}` }),
    ...(ticket !== undefined &&
      carrier === 'subprotocol' && { 'Sec-WebSocket-Protocol': `oncegate.v1, oncegate.ticket.${ticket}` }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    (value === null ? [] : [value].flat()).map((one) => `${name}: ${one}`),
  );
  return [`${method} ${target}${query} ${version}`, ...lines];
}

/** The text of a valid upgrade request, unless the options break it. */
export function upgradeRequest(options: UpgradeRequestOptions = {}): string {
  return `${upgradeLines(options).join('\r\n')}\r\n\r\n`;
}
