import { trimBlanks } from '../../../shared/http/white-space.ts';
import { ONCEGATE_PROTOCOL } from '../../../shared/ticket/carriers.ts';

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Reads a `Sec-WebSocket-Protocol` header (RFC 6455 §4.1: tokens, none of them twice).
 *
 * @returns the subprotocols, none if there is no header; null if it is malformed
 */
export function parseSubprotocols(header: string | undefined): string[] | null {
  if (header === undefined) return [];
  const protocols = header.split(',').map(trimBlanks);
  if (!protocols.every((protocol) => TOKEN.test(protocol))) return null;
  return new Set(protocols).size === protocols.length ? protocols : null;
}

/**
 * The subprotocol that the gateway answers with: the application's first, else `oncegate.v1` if it was offered.
 *
 * @param protocols as offered, without the ticket
 */
export function chooseSubprotocol(protocols: readonly string[]): string | undefined {
  return protocols.find((protocol) => protocol !== ONCEGATE_PROTOCOL) ?? protocols[0];
}
