import type { Refusal, RefusalCode } from '../../../shared/refusals.ts';
import { type Admitted, StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import type { Carrier } from '../../../shared/ticket/carriers.ts';
import { comparableHost, recordedOrigin } from '../../../shared/ticket/origin.ts';
import { hashSecret, mintAttemptId, type Ticket } from '../../../shared/ticket/ticket.ts';
import { type Handshake, parseHandshake, readRefused, type UpgradeRequest } from './handshake.ts';
import type { Load, Slot } from './load.ts';
import { originAllowed, originReason } from './origin-rule.ts';
import type { FindRoute, Route } from './routes.ts';

/** The rules by which a gateway admits. */
export interface AdmissionRules {
  readonly gatewayId: string;
  readonly carriers: readonly Carrier[];
  readonly findRoute: FindRoute;
  /** As {@link comparableHost} writes them; undefined for any. */
  readonly allowedHosts: readonly string[] | undefined;
  readonly bindAddress: boolean;
  readonly limitPolicy: 'refuse' | 'replace';
}

/** An upgrade request with the client's address and host, which a proxy in front may tell. */
export interface Visitor extends UpgradeRequest {
  /** The client's address. A proxy in `TRUST_PROXY` is believed about it. */
  readonly address: string;
  /** The host that the client asked for, if a proxy in `TRUST_PROXY` tells it. Default: that of the request. */
  readonly forwardedHost?: string | undefined;
  /** The scheme that the client used; undefined if it is not known, because a proxy in front may have ended TLS. */
  readonly scheme?: 'http' | 'https' | undefined;
}

/** A request that is refused, whether it is an upgrade or not. */
export type RefusedRequest = Pick<Visitor, 'target' | 'headers' | 'address'>;

export type Admission = Refused | AdmittedUpgrade;

export interface AdmittedUpgrade {
  readonly kind: 'admitted';
  readonly ticketId: string;
  readonly attemptId: string;
  readonly admitted: Admitted;
  readonly handshake: Handshake;
  readonly route: Route;
  /** Frees its slot among the connections of the route. */
  readonly freeRouteSlot: () => void;
}

export interface Refused {
  readonly kind: 'refused';
  readonly refusal: Refusal;
  /** Known only if the ticket was presented with the right secret. */
  readonly subject?: string | undefined;
  /** For the log: what the answer does not tell. */
  readonly reason?: string | undefined;
}

export interface AdmissionContext {
  readonly rules: AdmissionRules;
  readonly load: Load;
  readonly store: TicketStore;
}

/**
 * Decides about an upgrade. The cheapest checks come first, the store last: syntax, drain and load, route, origin,
 * ticket syntax, consume. Nothing is written to the client here.
 *
 * @param slot the upgrade's slot among those that are being decided
 */
export async function admit(visitor: Visitor, context: AdmissionContext, slot: Slot): Promise<Admission> {
  // The slot is freed before the note: otherwise refusals of strangers would keep slots from good tickets.
  const refuse = (refusal: Refusal): Promise<Refused> => {
    context.load.free(slot);
    return refuseEarly(refusal, visitor, context);
  };
  const parsed = parseHandshake(visitor, context.rules.carriers);
  if (!parsed.ok) return refuse(parsed.refusal);
  const { handshake } = parsed;
  const { presented } = handshake;

  const { allowedHosts } = context.rules;
  const host = comparableHost(visitor.forwardedHost ?? handshake.host);
  if (allowedHosts !== undefined && !allowedHosts.includes(host)) return refuse(OTHER_HOST);
  const route = context.rules.findRoute(handshake.path);
  if (route === 'unclear') return refuse(UNCLEAR_ROUTE);
  const early = context.load.refusal(visitor.address, slot) ?? routeRefusal(route, context.load);
  if (early !== undefined || route === undefined) return refuse(early ?? NO_ROUTE);
  const addressed = { host: visitor.forwardedHost ?? handshake.host, scheme: visitor.scheme };
  if (!originAllowed(handshake.origin, addressed, route.allowedOrigins)) {
    const refused = await refuse({ code: 'origin_refused' });
    return { ...refused, reason: originReason(handshake.origin, addressed) };
  }
  if (presented.kind === 'missing') return refuse({ code: 'ticket_missing' });
  if (presented.kind === 'malformed') return refuse({ code: 'ticket_malformed' });
  return consume(visitor, handshake, route, presented.ticket, context);
}

/**
 * Notes a refusal that was decided before consume on the record of each ticket in the request.
 *
 * @returns the refusal, with the id and the subject of a ticket if there is one
 */
export async function refuseEarly(
  refusal: Refusal,
  visitor: RefusedRequest,
  context: AdmissionContext,
): Promise<Refused> {
  const { tickets, origin } = readRefused(visitor);
  const [first] = tickets;
  if (first === undefined) return { kind: 'refused', refusal };
  const subjects = await Promise.all(
    tickets.map((ticket) => note(refusal.code, visitor.address, origin, ticket, context)),
  );
  const named = Math.max(
    0,
    subjects.findIndex((subject) => subject !== undefined),
  );
  const { id } = tickets[named] ?? first;
  return { kind: 'refused', refusal: { ...refusal, ticketId: id }, subject: subjects[named] };
}

const NO_ROUTE: Refusal = { code: 'not_found', detail: 'No route of this gateway leads there: check the path.' };

const OTHER_HOST: Refusal = {
  code: 'handshake_malformed',
  detail: 'The request is addressed to a host that ALLOWED_HOSTS of this gateway does not have.',
};

const UNCLEAR_ROUTE: Refusal = {
  code: 'handshake_malformed',
  detail: 'A server that decodes this path takes it for one of another route: write it as the route has it.',
};

function routeRefusal(route: Route | undefined, load: Load): Refusal | undefined {
  if (route === undefined) return NO_ROUTE;
  return load.isFull(route) ? { code: 'connection_limit' } : undefined;
}

async function consume(
  visitor: Visitor,
  handshake: Handshake,
  route: Route,
  ticket: Ticket,
  context: AdmissionContext,
): Promise<Admission> {
  const { rules, load, store } = context;
  const attemptId = mintAttemptId();
  // Before the store is asked: an upgrade that arrives meanwhile finds the slot taken.
  const freeRouteSlot = load.hold(route);
  let admitted = false;
  try {
    const outcome = await store.consume({
      id: ticket.id,
      secretSha256: hashSecret(ticket.secret),
      attemptId,
      gatewayId: rules.gatewayId,
      audience: route.audience,
      path: handshake.path,
      origin: recordedOrigin(handshake.origin),
      address: visitor.address,
      bindAddress: rules.bindAddress,
      maxConnections: route.maxConnectionsPerSubject,
      limitPolicy: rules.limitPolicy,
    });
    if (outcome.code === 'admitted') {
      admitted = true;
      return { kind: 'admitted', ticketId: ticket.id, attemptId, admitted: outcome, handshake, route, freeRouteSlot };
    }
    return { kind: 'refused', refusal: { code: outcome.code, ticketId: ticket.id }, subject: outcome.subject };
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return { kind: 'refused', refusal: { code: 'store_unavailable', ticketId: ticket.id } };
  } finally {
    if (!admitted) freeRouteSlot();
  }
}

/** Notes a refusal on a ticket's record. Resolves with the ticket's subject if that was done. */
async function note(
  outcome: RefusalCode,
  address: string,
  origin: string | undefined,
  ticket: Ticket,
  { rules, load, store }: AdmissionContext,
): Promise<string | undefined> {
  const done = load.mayNote(address);
  if (done === undefined) return undefined;
  try {
    const { id, secret } = ticket;
    const { gatewayId } = rules;
    const noted = await store.note({
      id,
      secretSha256: hashSecret(secret),
      outcome,
      gatewayId,
      origin: recordedOrigin(origin),
      address,
    });
    return noted.code === 'noted' ? noted.subject : undefined;
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return undefined; // the refusal stands, whether it was noted or not
  } finally {
    done();
  }
}
