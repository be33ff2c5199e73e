import type { IncomingMessage } from 'node:http';
import { ONCEGATE_PROTOCOL } from '../../../shared/ticket/carriers.ts';
import { headersWithoutTicket, TICKET_HEADERS } from '../admission/carriers.ts';
import type { Handshake } from '../admission/handshake.ts';

const PROTOCOLS = 'sec-websocket-protocol';

/**
 * Removes the ticket from a request, in whichever carrier it is, before the application sees or logs the request.
 * `oncegate.v1` becomes the last subprotocol, because most libraries choose the first.
 */
export function withoutTicket(request: IncomingMessage, { path, query, protocols }: Handshake): void {
  // Node makes both from rawHeaders when they are first read, so they are read before rawHeaders is replaced.
  const { headers, headersDistinct, rawHeaders } = request;
  const kept = headersWithoutTicket(rawHeaders).filter(([name]) => name.toLowerCase() !== PROTOCOLS);
  if (protocols.length > 0) {
    const own = protocols.filter((protocol) => protocol === ONCEGATE_PROTOCOL);
    const others = protocols.filter((protocol) => protocol !== ONCEGATE_PROTOCOL);
    kept.push(['Sec-WebSocket-Protocol', [...others, ...own].join(', ')]);
  }
  for (const header of TICKET_HEADERS) {
    const values = kept.filter(([name]) => name.toLowerCase() === header).map(([, value]) => value);
    if (values.length > 0) {
      headers[header] = values.join(', ');
      headersDistinct[header] = values;
    } else {
      delete headers[header];
      delete headersDistinct[header];
    }
  }
  request.url = query === '' ? path : `${path}?${query}`;
  request.rawHeaders = kept.flat();
}
