import type { IncomingMessage } from 'node:http';
import { ONCEGATE_PROTOCOL, TICKET_SCHEME } from '../../../shared/ticket/carriers.ts';
import type { Handshake } from '../admission/handshake.ts';

const PROTOCOLS = 'sec-websocket-protocol';
const TICKET_AUTHORIZATION = new RegExp(`^${TICKET_SCHEME}(?: |$)`, 'i');

/**
 * Takes the ticket off a request, wherever it was, before an application sees it or logs it.
 * `oncegate.v1` becomes the last of the subprotocols: most libraries choose the first one.
 */
export function withoutTicket(request: IncomingMessage, { path, query, protocols }: Handshake): void {
  // Node makes both out of rawHeaders when they are first asked for, and counts on its length then.
  const { headers, headersDistinct, rawHeaders } = request;
  const removed = [PROTOCOLS, ...(TICKET_AUTHORIZATION.test(headers.authorization ?? '') ? ['authorization'] : [])];
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    if (!removed.includes(name.toLowerCase())) kept.push(name, value);
  }
  for (const name of removed) {
    delete headers[name];
    delete headersDistinct[name];
  }
  if (protocols.length > 0) {
    const own = protocols.filter((protocol) => protocol === ONCEGATE_PROTOCOL);
    const offered = [...protocols.filter((protocol) => protocol !== ONCEGATE_PROTOCOL), ...own].join(', ');
    headers[PROTOCOLS] = offered;
    headersDistinct[PROTOCOLS] = [offered];
    kept.push('Sec-WebSocket-Protocol', offered);
  }
  request.url = query === '' ? path : `${path}?${query}`;
  request.rawHeaders = kept;
}
