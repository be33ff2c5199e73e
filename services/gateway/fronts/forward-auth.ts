import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { METHOD_NOT_ALLOWED } from '../../../shared/http/admin-server.ts';
import { forwardedHost, isTrustedPeer, proxiedAddress, type Trust } from '../../../shared/http/client-address.ts';
import { sendRefusal } from '../../../shared/http/send-refusal.ts';
import { problemOf } from '../../../shared/problem.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { ONCEGATE_PROTOCOL } from '../../../shared/ticket/carriers.ts';
import type { AdmittedUpgrade, Presented, Visitor } from '../admission/admit.ts';
import type { Admitter } from '../admission/admitter.ts';
import { groupHeaders, type HeaderGroups } from '../admission/headers.ts';
import { identityHeaders, identityOf, type SigningKey } from '../identity/identity.ts';

export interface ForwardAuthOptions {
  readonly admitter: Admitter;
  readonly trustProxy: Trust;
  readonly signing: SigningKey | undefined;
}

/** Where proxies ask. What is behind it in the path is the original one (Envoy's `path_prefix`). */
export const ADMIT_PATH = '/admit';

/** How the proxies that there are name the original request target, and the method. */
const TARGET_HEADERS = ['x-original-uri', 'x-forwarded-uri'];
const METHOD_HEADERS = ['x-original-method', 'x-forwarded-method'];

/** A proxy that passes on neither every status nor a body asks with this header for 403, and for those in headers. */
const DENY_WITH_HEADER = 'oncegate-deny-with';

const NOT_A_PROXY: Refusal = {
  code: 'handshake_malformed',
  detail: 'Only a proxy at an address in TRUST_PROXY may ask here.',
};
const UNCLEAR: Refusal = {
  code: 'handshake_malformed',
  detail:
    'The proxy must name the original request target in X-Original-URI or X-Forwarded-Uri, and where it names the target or the method more than once, the same one.',
};

/** Answers a proxy that asks, once for each upgrade, whether to let it pass. */
export function createForwardAuth({ admitter, trustProxy, signing }: ForwardAuthOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Go's HTTP client, which is that of Caddy and Traefik, sends a GET again by itself where a connection
    // that was used before breaks: on a new one it asks once.
    response.shouldKeepAlive = false;
    const refuse = (refusal: Refusal): void => deny(request, response, refusal);
    // Whoever has reset the connection by now has taken the question back; and where it came from is not known.
    if (request.socket.remoteAddress === undefined) return void response.destroy();
    const visitor = visitorFor(request, trustProxy);
    if ('code' in visitor) return refuse(await admitter.refuse(presentedBy(request, trustProxy), visitor));
    await admitter.decide(visitor, async (decision) => {
      if (decision.kind === 'refused') return refuse(decision.refusal);
      const headers = await admittedHeaders(decision.entry.admission, signing);
      // Whether it has given up waiting may have to be read still. Then it will not let the client through,
      // nor hear that it may.
      await setImmediate();
      if (response.destroyed || !request.socket.writable) return decision.entry.gone();
      for (const [name, value] of headers) response.setHeader(name, value);
      response.writeHead(200).end();
      decision.entry.handOver();
    });
  };
}

/** The upgrade that is asked about, or why the question is none: a fault of the proxy's, which its client cannot see. */
function visitorFor(request: IncomingMessage, trustProxy: Trust): Visitor | Refusal {
  if (request.method !== 'GET' && request.method !== 'HEAD') return METHOD_NOT_ALLOWED;
  return isTrustedPeer(request, trustProxy) ? originalVisitor(request, trustProxy) : NOT_A_PROXY;
}

/**
 * What there is of a question that is none, for the record of the client's ticket. Every target that is named
 * may be the one: nothing is admitted by any of them, and a note needs the ticket's secret.
 */
function presentedBy(request: IncomingMessage, trustProxy: Trust): Presented {
  const { url = '', rawHeaders } = request;
  const headers = groupHeaders(rawHeaders);
  const queries = [url, ...valuesOf(headers, TARGET_HEADERS)].map((target) => target.split('?').slice(1).join('?'));
  return { target: `/?${queries.join('&')}`, headers, address: proxiedAddress(request, trustProxy) };
}

/** The upgrade that a proxy asks about, from what it says of it. */
function originalVisitor(request: IncomingMessage, trustProxy: Trust): Visitor | Refusal {
  const { url = '', rawHeaders } = request;
  const headers = groupHeaders(rawHeaders);
  const behind = url.startsWith(`${ADMIT_PATH}/`) ? [url.slice(ADMIT_PATH.length)] : [];
  const targets = new Set([...behind, ...valuesOf(headers, TARGET_HEADERS)]);
  const methods = new Set(valuesOf(headers, METHOD_HEADERS));
  const [target] = targets;
  // A proxy sets one of these headers and passes on what the client wrote into the other: where they differ,
  // one is the client's, who would like to be judged by another path than the one it goes to.
  if (target === undefined || targets.size > 1 || methods.size > 1) return UNCLEAR;
  // A proxy that asks with HEAD asks about a GET.
  const [method = 'GET'] = methods;
  return {
    method,
    target,
    // That of the request to the proxy is not told, and a proxy speaks HTTP/1.0 to us where it likes.
    httpVersion: '1.1',
    headers,
    earlyBytes: 0,
    pipelined: false,
    upgradeTakenOff: true,
    address: proxiedAddress(request, trustProxy),
    forwardedHost: forwardedHost(request, trustProxy),
  };
}

function valuesOf(headers: HeaderGroups, names: readonly string[]): string[] {
  return names.flatMap((name) => headers.get(name) ?? []);
}

/**
 * The complete set of headers, empty ones included: a proxy that copies them sets every one, so that
 * nothing a client sent under their names is left.
 */
async function admittedHeaders(
  { ticketId, admitted, handshake }: AdmittedUpgrade,
  signing: SigningKey | undefined,
): Promise<Array<readonly [name: string, value: string]>> {
  const { path, query, protocols } = handshake;
  const application = protocols.filter((protocol) => protocol !== ONCEGATE_PROTOCOL);
  return [
    ...(await identityHeaders(identityOf(ticketId, admitted), signing)),
    // What the back end is to be asked for: without the ticket.
    ['Oncegate-Uri', query === '' ? path : `${path}?${query}`],
    ['Oncegate-Protocols', application.join(', ')],
    // What the client is to be answered where the back end chooses no subprotocol.
    ['Oncegate-Default-Protocol', protocols.includes(ONCEGATE_PROTOCOL) ? ONCEGATE_PROTOCOL : ''],
    // For a proxy that copies headers by their own names and cannot answer the client in the back end's place.
    ...(protocols.length > 0 ? [['Sec-WebSocket-Protocol', protocols.join(', ')] as const] : []),
    ['Content-Length', '0'],
  ];
}

/** A refusal, for a proxy that passes it on. One that cannot is told the true status and the body in headers. */
function deny(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { status, body } = problemOf(refusal);
  response.setHeader('Oncegate-Status', status);
  response.setHeader('Oncegate-Code', refusal.code);
  if (request.headers[DENY_WITH_HEADER] !== '403') return sendRefusal(response, refusal);
  // A header has bytes: these are those of the body, whatever its characters.
  response.setHeader('Oncegate-Problem', Buffer.from(body).toString('latin1'));
  sendRefusal(response, refusal, 403);
}
