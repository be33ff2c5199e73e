import type { IncomingMessage } from 'node:http';
import { clientAddress, forwardedHost, knownScheme, type Trust } from '../../../shared/http/client-address.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { Visitor } from '../admission/admit.ts';
import { groupHeaders } from '../admission/headers.ts';

/** Describes an upgrade request for the admission. */
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
    scheme: knownScheme(request, trustProxy),
  };
}

/** The refusal of an upgrade that was followed by bytes: a client sends none before it has the 101 (RFC 6455 §4.1). */
export const TOO_EARLY: Refusal = { code: 'handshake_malformed' };
