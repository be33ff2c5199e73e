import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientAddress, type Trust } from '../../../shared/http/client-address.ts';
import type { Metrics } from '../../../shared/metrics.ts';
import type { Logger } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import { claimsFault } from '../../../shared/ticket/claims.ts';
import { isOrigin } from '../../../shared/ticket/origin.ts';
import { formatTicket } from '../../../shared/ticket/ticket.ts';
import type { Refuse } from '../answers/answering.ts';
import { sendJson, timestamp } from '../answers/json.ts';
import { mayActFor, type Principal } from '../authenticators/authenticator.ts';
import type { Caller } from '../sign-in/sign-in.ts';
import { type Announcement, waysToPresent } from './announce.ts';
import { createWishParser, type TicketWish } from './issue-request.ts';
import { issueTicket, type TicketRules } from './issue-ticket.ts';
import { applyPolicy, type Policy } from './policy.ts';

export interface IssueOptions {
  readonly store: TicketStore;
  readonly rules: TicketRules;
  /** The ticket policy that is in force at the moment of asking. */
  readonly policy: () => Policy | undefined;
  readonly announcement: Announcement;
  readonly trustProxy: Trust;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly refuse: Refuse;
}

/** A request whose body has been read, and where the routes are mounted, if Express says so. */
export type BodiedRequest = IncomingMessage & { readonly body?: unknown; readonly baseUrl?: string };

/** Answers a `POST /tickets` of a caller who has been signed in. */
export type Issue = (request: BodiedRequest, response: ServerResponse, caller: Caller) => Promise<void>;

export function createIssue(options: IssueOptions): Issue {
  const { store, rules, policy, announcement, trustProxy, log, metrics, refuse } = options;
  const parseWish = createWishParser(rules.ttlSeconds);

  return async (request, response, { principal, revoked }) => {
    // Its client went away, and perhaps a part of the body with it: nobody waits for this ticket.
    if (response.destroyed) return;
    const parsed = parseWish(request.body);
    if (!parsed.ok) return refuse(response, { code: 'request_invalid', errors: parsed.errors }, principal.subject);
    const { origin } = request.headers;
    // `null` too: no gateway would ever take a ticket that is bound to it.
    if (origin !== undefined && !isOrigin(origin)) {
      return refuse(response, { code: 'origin_refused' }, principal.subject);
    }
    const granted = grant(principal, parsed.wish, policy());
    if (!granted.ok) return refuse(response, granted.refusal, principal.subject);
    const { subject, wish } = granted;

    const address = clientAddress(request, trustProxy);
    const asked = { subject, credentialsExpireAt: principal.expiresAt, wish, origin, address };
    // The body took its time: a key that was revoked meanwhile issues nothing any more.
    if (principal.delegation?.inForce() === false) return refuse(response, revoked);
    const { ticket, outcome } = await issueTicket(asked, options);
    if (outcome.code === 'pending_limit') {
      const retryAfterSeconds = Math.max(1, Math.ceil(outcome.retryAfterMs / 1000));
      return refuse(response, { code: 'pending_limit', retryAfterSeconds }, subject);
    }
    // By the store's clock the credentials had run out already, and the ticket with them.
    if (outcome.expiresAt <= outcome.issuedAt) return refuse(response, revoked, principal.subject);
    // The store took its time as well: what it wrote after a revocation is withdrawn before anybody has seen it.
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
      ...waysToPresent(ticket, wish.path, announcement),
    });
  };
}

type Granted =
  | { readonly ok: true; readonly subject: string; readonly wish: TicketWish }
  | { readonly ok: false; readonly refusal: Refusal };

/** What a caller gets of what it asked for: by its credentials first, by the policy then. */
function grant(principal: Principal, wish: TicketWish, policy: Policy | undefined): Granted {
  const subject = wish.subject ?? principal.subject;
  if (!mayActFor(principal, subject)) return { ok: false, refusal: { code: 'subject_refused' } };
  const audiences = principal.delegation?.audiences;
  const audience = wish.audience ?? (audiences?.length === 1 ? audiences[0] : undefined);
  if (audiences !== undefined && (audience === undefined || !audiences.includes(audience))) {
    return { ok: false, refusal: { code: 'audience_refused', detail: 'The API key does not allow this audience.' } };
  }
  // What the issuer vouches for stands above what the caller asks for.
  const claims = wish.claims || principal.claims ? { ...wish.claims, ...principal.claims } : undefined;
  const judged = applyPolicy(policy, subject, { ...wish, audience, claims });
  if (!judged.ok) return judged;
  const fault = judged.wish.claims === undefined ? undefined : claimsFault(judged.wish.claims);
  if (fault !== undefined) {
    const detail = `${fault}, with those that the credentials and the policy add`;
    return { ok: false, refusal: { code: 'request_invalid', errors: [{ pointer: '#/claims', detail }] } };
  }
  return { ok: true, subject, wish: judged.wish };
}
