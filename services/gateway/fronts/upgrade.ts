import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { clientAddress, forwardedScheme, type Trust } from '../../../shared/http/client-address.ts';
import type { Metrics } from '../../../shared/metrics.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { Visitor } from '../admission/admit.ts';
import type { Admitter } from '../admission/admitter.ts';
import { headersWithoutTicket } from '../admission/carriers.ts';
import type { Entry } from '../admission/entry.ts';
import { groupHeaders } from '../admission/headers.ts';
import { chooseSubprotocol } from '../admission/subprotocols.ts';
import { identityOf, type SigningKey } from '../identity/identity.ts';
import { relay } from '../upstream/relay.ts';
import { Echo } from '../wires/echo.ts';
import { refuseUpgrade } from './refuse.ts';
import { TOO_EARLY, visitorOf } from './visitor.ts';

export interface UpgradeContext {
  readonly admitter: Admitter;
  readonly trustProxy: Trust;
  /** The longest message that the echo accepts. */
  readonly maxMessageBytes: number;
  /** The key that signs identities for upstreams. */
  readonly signing: SigningKey | undefined;
  readonly metrics: Metrics;
}

/** An upgrade request on its socket. */
interface Visit {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly visitor: Visitor;
}

/** Makes the handler of upgrades: each is admitted and opened, or refused. */
export function createUpgradeHandler(context: UpgradeContext) {
  const { admitter, trustProxy } = context;
  const echo = new Echo(context.maxMessageBytes);

  return (request: IncomingMessage, socket: Duplex, earlyBytes: number, pipelined: boolean): Promise<void> => {
    const visitor = visitorOf(request, earlyBytes, pipelined, trustProxy);
    const visit: Visit = { request, socket, visitor };
    return admitter.decide(visitor, async (decision) => {
      if (decision.kind === 'refused') return refuseUpgrade(socket, decision.refusal, request.method);
      const refusal = await open(decision.entry, visit, echo, context);
      if (refusal !== undefined) refuseUpgrade(socket, await decision.entry.takeBack(refusal), request.method);
    });
  };
}

/** Makes the handler of requests that are no upgrade. The record of the ticket tells so: a proxy removed `Upgrade`. */
export function createPlainRequestHandler({ admitter, trustProxy }: Pick<UpgradeContext, 'admitter' | 'trustProxy'>) {
  return (request: IncomingMessage, refusal: Refusal): Promise<Refusal> => {
    const { url: target = '', rawHeaders } = request;
    const address = clientAddress(request, trustProxy);
    return admitter.refuse({ target, headers: groupHeaders(rawHeaders), address }, refusal);
  };
}

/**
 * Opens an admitted connection: to the upstream of its route, or to the echo.
 *
 * @returns the refusal if it could not be opened and the client is still there
 */
async function open(
  entry: Entry,
  { request, socket, visitor }: Visit,
  echo: Echo,
  { signing, trustProxy, metrics }: UpgradeContext,
): Promise<Refusal | undefined> {
  const { ticketId, admitted, handshake, route } = entry.admission;
  const { upstream, maxMessageBytes, idleSeconds } = route;
  if (upstream === undefined) {
    if (socket.readableLength > 0) return TOO_EARLY;
    const { subject, claims = '{}', clientClaims = '{}' } = admitted;
    const opening = { key: handshake.key, protocol: chooseSubprotocol(handshake.protocols) };
    echo.open(opening, socket, { ticketId, subject, claims, clientClaims }, (wire) => entry.open(wire));
    return undefined;
  }
  const relayed = await relay(
    {
      headers: headersWithoutTicket(request.rawHeaders),
      socket,
      upstream,
      maxMessageBytes,
      idleSeconds,
      identity: identityOf(ticketId, admitted),
      target: handshake.query === '' ? handshake.path : `${handshake.path}?${handshake.query}`,
      handshake,
      forwarded: {
        for: visitor.address,
        proto: forwardedScheme(request, trustProxy),
        host: visitor.forwardedHost ?? handshake.host,
      },
    },
    { signing, metrics },
  );
  if (relayed.kind === 'refused') return relayed.refusal;
  if (relayed.kind === 'gone') return void entry.gone();
  if (socket.readableLength > 0) {
    relayed.abandon();
    return TOO_EARLY;
  }
  relayed.begin((wire) => entry.open(wire));
  return undefined;
}
