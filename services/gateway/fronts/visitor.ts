import type { IncomingMessage } from 'node:http';
import { clientAddress, forwardedHost, type Trust } from '../../../shared/http/client-address.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { Visitor } from '../admission/admit.ts';
import { groupHeaders } from '../admission/headers.ts';

/** What is known of an upgrade request before anything is decided. */
export function visitorOf(
  request: IncomingMessage,
  earlyBytes: number,
  pipelined: boolean,
  trustProxy: Trust,
): Visitor {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion,
    headers: groupHeaders(request.rawHeaders),
    earlyBytes,
    pipelined,
    address: clientAddress(request, trustProxy),
    forwardedHost: forwardedHost(request, trustProxy),
  };
}

/** Why an admitted upgrade is refused if bytes came behind it: a client sends none before it has the 101 (RFC 6455 §4.1). */
export const TOO_EARLY: Refusal = { code: 'handshake_malformed' };
