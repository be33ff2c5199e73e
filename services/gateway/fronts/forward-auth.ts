import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { METHOD_NOT_ALLOWED } from '../../../shared/http/admin-server.ts';
import {
  forwardedHost,
  isTrustedPeer,
  knownScheme,
  proxiedAddress,
  type Trust,
} from '../../../shared/http/client-address.ts';
import { sendRefusal } from '../../../shared/http/send-refusal.ts';
import { problemOf } from '../../../shared/problem.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { ONCEGATE_PROTOCOL } from '../../../shared/ticket/carriers.ts';
import type { AdmittedUpgrade, RefusedRequest, Visitor } from '../admission/admit.ts';
import type { Admitter } from '../admission/admitter.ts';
import { groupHeaders, type HeaderGroups } from '../admission/headers.ts';
import { identityHeaders, identityOf, type SigningKey } from '../identity/identity.ts';

export interface ForwardAuthOptions {
  readonly admitter: Admitter;
  readonly trustProxy: Trust;
  readonly signing: SigningKey | undefined;
}

/** The path at which proxies ask. The rest of the path is the original one (`path_prefix` of Envoy). */
export const ADMIT_PATH = '/admit';

/** The headers in which proxies name the original request target, and the original method. */
const TARGET_HEADERS = ['x-original-uri', 'x-forwarded-uri'];
const METHOD_HEADERS = ['x-original-method', 'x-forwarded-method'];

/** With `403` here, a proxy that cannot pass on every status or a body gets 403, and both of them in headers. */
const DENY_WITH_HEADER = 'oncegate-deny-with';

const NOT_A_PROXY: Refusal = {
  code: 'handshake_malformed',
  detail: 'Only a proxy at an address in TRUST_PROXY may ask here.',
};
const UNCLEAR: Refusal = {
  code: 'handshake_malformed',
  detail:
    'The proxy must name the original request target in X-Original-URI or X-Forwarded-Uri. If it names the target or the method more than once, it must name the same one.',
};

/** Answers a proxy that asks, once for each upgrade, whether it may pass it on. */
export function createForwardAuth({ admitter, trustProxy, signing }: ForwardAuthOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Go's HTTP client, in Caddy and Traefik, sends a GET again by itself if a connection that it used before
    // breaks. On a new connection it asks once.
    response.shouldKeepAlive = false;
    const refuse = (refusal: Refusal): void => deny(request, response, refusal);
    // A proxy that has reset the connection by now no longer asks, and its address is not known any more.
    if (request.socket.remoteAddress === undefined) return void response.destroy();
    const visitor = visitorFor(request, trustProxy);
    if ('code' in visitor) return refuse(await admitter.refuse(presentedBy(request, trustProxy), visitor));
    await admitter.decide(visitor, async (decision) => {
      if (decision.kind === 'refused') return refuse(decision.refusal);
      const headers = await admittedHeaders(decision.entry.admission, signing);
      // The proxy may have stopped waiting, which the event loop has yet to read. Then it does not let the client pass.
      await setImmediate();
      if (response.destroyed || !request.socket.writable) return decision.entry.gone();
      for (const [name, value] of headers) response.setHeader(name, value);
      response.writeHead(200).end();
      decision.entry.handOver();
    });
  };
}

/** The upgrade that the proxy asks about, or the refusal of a question that the proxy asked wrongly. */
function visitorFor(request: IncomingMessage, trustProxy: Trust): Visitor | Refusal {
  if (request.method !== 'GET' && request.method !== 'HEAD') return METHOD_NOT_ALLOWED;
  return isTrustedPeer(request, trustProxy) ? originalVisitor(request, trustProxy) : NOT_A_PROXY;
}

/**
 * What a wrongly asked question tells about the client, for the record of its ticket. Every target that it names
 * is searched for a ticket: nothing is admitted by any of them, and a note needs the ticket's secret.
 */
function presentedBy(request: IncomingMessage, trustProxy: Trust): RefusedRequest {
  const { url = '', rawHeaders } = request;
  const headers = groupHeaders(rawHeaders);
  const queries = [url, ...valuesOf(headers, TARGET_HEADERS)].map((target) => target.split('?').slice(1).join('?'));
  return { target: `/?${queries.join('&')}`, headers, address: proxiedAddress(request, trustProxy) };
}

/** The upgrade that a proxy asks about, as the proxy describes it. */
function originalVisitor(request: IncomingMessage, trustProxy: Trust): Visitor | Refusal {
  const { url = '', rawHeaders } = request;
  const headers = groupHeaders(rawHeaders);
  const behind = url.startsWith(`${ADMIT_PATH}/`) ? [url.slice(ADMIT_PATH.length)] : [];
  const targets = new Set([...behind, ...valuesOf(headers, TARGET_HEADERS)]);
  const methods = new Set(valuesOf(headers, METHOD_HEADERS));
  const [target] = targets;
  // A proxy sets one of these headers and passes on the other as the client wrote it. If they differ, the client
  // may be trying to be judged by another path than the one that it connects to.
  if (target === undefined || targets.size > 1 || methods.size > 1) return UNCLEAR;
  // A proxy that asks with HEAD asks about a GET. Over HTTP/2 and HTTP/3 the client's method is CONNECT, with
  // `:protocol` and a path (RFC 8441 §4). Any other CONNECT has no path (RFC 9110 §9.3.6), so it is no handshake.
  const [named = 'GET'] = methods;
  const method = named === 'CONNECT' && target.startsWith('/') ? 'GET' : named;
  return {
    method,
    target,
    // The proxy does not tell the client's version, and may itself speak HTTP/1.0 to the gateway.
    httpVersion: '1.1',
    headers,
    earlyBytes: 0,
    pipelined: false,
    upgradeTakenOff: true,
    address: proxiedAddress(request, trustProxy),
    forwardedHost: forwardedHost(request, trustProxy),
    scheme: knownScheme(request, trustProxy),
  };
}

function valuesOf(headers: HeaderGroups, names: readonly string[]): string[] {
  return names.flatMap((name) => headers.get(name) ?? []);
}

/**
 * The complete set of headers, empty ones included. A proxy that copies them overwrites all that a client sent
 * under their names.
 */
async function admittedHeaders(
  { ticketId, admitted, handshake }: AdmittedUpgrade,
  signing: SigningKey | undefined,
): Promise<Array<readonly [name: string, value: string]>> {
  const { path, query, protocols } = handshake;
  const application = protocols.filter((protocol) => protocol !== ONCEGATE_PROTOCOL);
  return [
    ...(await identityHeaders(identityOf(ticketId, admitted), signing)),
    // The target for the back end, without the ticket.
    ['Oncegate-Uri', query === '' ? path : `${path}?${query}`],
    ['Oncegate-Protocols', application.join(', ')],
    // The subprotocol to answer the client with if the back end chooses none.
    ['Oncegate-Default-Protocol', protocols.includes(ONCEGATE_PROTOCOL) ? ONCEGATE_PROTOCOL : ''],
    // For a proxy that copies headers by name and cannot choose the subprotocol for the back end.
    ...(protocols.length > 0 ? [['Sec-WebSocket-Protocol', protocols.join(', ')] as const] : []),
    ['Content-Length', '0'],
  ];
}

/** Answers a proxy with a refusal. A proxy that cannot pass it on gets the status and the body in headers. */
function deny(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { status, body } = problemOf(refusal);
  response.setHeader('Oncegate-Status', status);
  response.setHeader('Oncegate-Code', refusal.code);
  if (request.headers[DENY_WITH_HEADER] !== '403') return sendRefusal(response, refusal);
  // A header is written as Latin-1: so it has the bytes of the body, whatever its characters are.
  response.setHeader('Oncegate-Problem', Buffer.from(body).toString('latin1'));
  sendRefusal(response, refusal, 403);
}
