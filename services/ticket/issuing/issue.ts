import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientAddress, type Trust } from '../../../shared/http/client-address.ts';
import type { Metrics } from '../../../shared/metrics.ts';
import type { Logger } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import { type Claims, claimsFault } from '../../../shared/ticket/claims.ts';
import { isOrigin } from '../../../shared/ticket/origin.ts';
import { formatTicket } from '../../../shared/ticket/ticket.ts';
import type { Refuse } from '../answers/answering.ts';
import { sendJson, timestamp } from '../answers/json.ts';
import { mayActFor, mayUseAudience, type Principal } from '../authenticators/authenticator.ts';
import type { Caller } from '../sign-in/sign-in.ts';
import { type Announcement, waysToPresent } from './announce.ts';
import { createClockWatch } from './clock-watch.ts';
import { type Grant, issueTicket, type TicketRules } from './issue-ticket.ts';
import { applyPolicy, type Policy } from './policy.ts';
import { createTicketRequestParser, type TicketRequest } from './ticket-request.ts';

export interface IssueOptions {
  readonly store: TicketStore;
  readonly rules: TicketRules;
  /** The ticket policy in force now. */
  readonly policy: () => Policy | undefined;
  readonly announcement: Announcement;
  readonly trustProxy: Trust;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly refuse: Refuse;
}

/** A request whose body has been read. `baseUrl` is the path at which Express has mounted the routes. */
export type BodiedRequest = IncomingMessage & { readonly body?: unknown; readonly baseUrl?: string };

/** Answers a `POST /tickets` of a caller that is signed in. */
export type Issue = (request: BodiedRequest, response: ServerResponse, caller: Caller) => Promise<void>;

export function createIssue(options: IssueOptions): Issue {
  const { store, rules, policy, announcement, trustProxy, log, metrics, refuse } = options;
  const parseTicketRequest = createTicketRequestParser(rules.ttlSeconds);
  const watchClock = createClockWatch(log);

  return async (request, response, { principal, revoked }) => {
    // The client went away: nobody would use this ticket, and its body may be incomplete.
    if (response.destroyed) return;
    const parsed = parseTicketRequest(request.body);
    if (!parsed.ok) return refuse(response, parsed.refusal, principal.subject);
    const { origin } = request.headers;
    // `null` is refused too: a ticket that is bound to it would be admitted nowhere.
    if (origin !== undefined && !isOrigin(origin)) {
      return refuse(response, { code: 'origin_refused' }, principal.subject);
    }
    const decision = grant(principal, parsed.asked, policy());
    if (!decision.ok) return refuse(response, decision.refusal, principal.subject);
    const { subject, granted } = decision;

    const address = clientAddress(request, trustProxy);
    const order = { subject, credentialsExpireAt: principal.expiresAt, granted, origin, address };
    // Race: the key may have been revoked while the body was read.
    if (principal.delegation?.inForce() === false) return refuse(response, revoked);
    const before = Date.now();
    const { ticket, outcome } = await issueTicket(order, options);
    if (outcome.code === 'pending_limit') {
      const retryAfterSeconds = Math.max(1, Math.ceil(outcome.retryAfterMs / 1000));
      return refuse(response, { code: 'pending_limit', retryAfterSeconds }, subject);
    }
    watchClock(outcome.issuedAt, before, Date.now());
    // The credentials expired meanwhile, so the ticket has too.
    if (outcome.expiresAt <= outcome.issuedAt) return refuse(response, revoked, principal.subject);
    // Race: the key may have been revoked while the store issued. The ticket is revoked before anybody sees it.
    if (principal.delegation?.inForce() === false) {
      await store.revoke({ id: ticket.id, subject });
      return refuse(response, revoked);
    }
    metrics.count('oncegate_tickets_issued_total');
    log.info({ event: 'issue', ticket_id: ticket.id, subject });
    response.setHeader('Location', `${request.baseUrl ?? ''}/tickets/${ticket.id}`);
    sendJson(response, 201, {
      id: ticket.id,
      ticket: formatTicket(ticket),
      expires_in: Math.ceil((outcome.expiresAt - outcome.issuedAt) / 1000),
      expires_at: timestamp(outcome.expiresAt),
      ...waysToPresent(ticket, granted.path, announcement),
    });
  };
}

type Decision =
  | { readonly ok: true; readonly subject: string; readonly granted: Grant }
  | { readonly ok: false; readonly refusal: Refusal };

/** What a caller is granted of what it asked for. The credentials decide first, then the policy. */
function grant(principal: Principal, asked: TicketRequest, policy: Policy | undefined): Decision {
  const subject = asked.subject ?? principal.subject;
  if (!mayActFor(principal, subject)) return { ok: false, refusal: { code: 'subject_refused' } };
  const audiences = principal.delegation?.audiences;
  const audience = asked.audience ?? (audiences?.length === 1 ? audiences[0] : undefined);
  if (!mayUseAudience(principal, audience)) {
    return { ok: false, refusal: { code: 'audience_refused', detail: 'The API key does not allow this audience.' } };
  }
  const judged = applyPolicy(policy, subject, { ...asked, audience });
  if (!judged.ok) return judged;
  const { claims: wished, path, ttlSeconds } = judged.granted;
  // A back end vouches for what it asks for. Nobody does for what a caller says about itself.
  const [backEnds, clientClaims] = principal.delegation === undefined ? [undefined, wished] : [wished, undefined];
  const claims = merged(backEnds, principal.claims, judged.addedClaims);
  const fault = claims && claimsFault(claims);
  if (fault !== undefined) {
    const detail = `${fault}, with those that the credentials and the policy add`;
    return { ok: false, refusal: { code: 'request_invalid', errors: [{ pointer: '#/claims', detail }] } };
  }
  return { ok: true, subject, granted: { audience: judged.granted.audience, path, ttlSeconds, claims, clientClaims } };
}

/** One object of several, of which a later one replaces names of those before it; undefined if there is none. */
function merged(...objects: ReadonlyArray<Claims | undefined>): Claims | undefined {
  const given = objects.filter((claims) => claims !== undefined);
  // Attack: assigning a claim named __proto__ would set a prototype instead, past the check of names.
  return given.length === 0 ? undefined : Object.fromEntries(given.flatMap((claims) => Object.entries(claims)));
}
