import express, { type Request, type Response, Router } from 'express';
import { claimsFault } from '../../shared/claims.ts';
import { clientAddress, type Trust } from '../../shared/http/client-address.ts';
import type { Metrics } from '../../shared/metrics.ts';
import { isOrigin } from '../../shared/origin.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Refusal } from '../../shared/refusals.ts';
import { counted } from '../../shared/store/create-store.ts';
import type { GatewayCommand, TicketRecord, TicketStore } from '../../shared/store/store.ts';
import { formatTicket, isTicketId } from '../../shared/ticket.ts';
import { type Announcement, waysToPresent } from './announce.ts';
import type { Principal } from './authenticators/authenticator.ts';
import { createWishParser, type TicketWish } from './issue-request.ts';
import { issueTicket, type TicketRules } from './issue-ticket.ts';
import { applyPolicy, type Policy } from './policy.ts';
import { presentTicket, timestamp } from './present.ts';
import type { SignedIn, SignIn } from './sign-in.ts';

export interface TicketRoutesOptions {
  readonly store: TicketStore;
  readonly signIn: SignIn;
  readonly rules: TicketRules;
  /** The ticket policy that is in force at the moment of asking. */
  readonly policy: () => Policy | undefined;
  readonly announcement: Announcement;
  readonly trustProxy: Trust;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly refuse: (response: Response, refusal: Refusal, subject?: string) => void;
}

/** Room for the largest claims and the fields around them; more is not read. */
const MAX_BODY = '16kb';

/** The routes of tickets: ask for one, look at one's own, withdraw one, renew what it bought. */
export function createTicketRoutes(options: TicketRoutesOptions): Router {
  const { store, signIn, rules, policy, announcement, trustProxy, log, metrics, refuse } = options;
  const router = Router({ caseSensitive: true });
  const parseWish = createWishParser(rules.ttlSeconds);

  async function issue(request: Request, response: SignedIn): Promise<void> {
    const { principal, revoked } = response.locals;
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
      await counted(metrics, 'revoke', store.revoke({ id: ticket.id, subject }));
      return refuse(response, revoked);
    }
    metrics.count('oncegate_tickets_issued_total');
    log.info({ event: 'issue', ticket_id: ticket.id, subject });
    response
      .status(201)
      .location(`${request.baseUrl}/tickets/${ticket.id}`)
      .json({
        id: ticket.id,
        ticket: formatTicket(ticket),
        expires_in: Math.ceil((outcome.expiresAt - outcome.issuedAt) / 1000),
        expires_at: timestamp(outcome.expiresAt),
        ...waysToPresent(ticket, wish.path, announcement),
      });
  }

  async function list(_request: Request, response: SignedIn): Promise<void> {
    const records = await counted(metrics, 'list', store.list(response.locals.principal.subject));
    response.json({ tickets: records.map(presentTicket) });
  }

  /** The record of a ticket that the caller may see. Another subject's, and one that never was, get the same answer. */
  async function ownRecord(id: string, principal: Principal): Promise<TicketRecord | null> {
    const record = isTicketId(id) ? await counted(metrics, 'read', store.read(id)) : null;
    return record !== null && mayActFor(principal, record.subject) ? record : null;
  }

  async function show(request: Request<{ id: string }>, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const record = await ownRecord(request.params.id, principal);
    if (record === null) return refuse(response, { code: 'not_found' }, principal.subject);
    response.json(presentTicket(record));
  }

  async function revoke(request: Request<{ id: string }>, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const record = await ownRecord(request.params.id, principal);
    if (record === null) return refuse(response, { code: 'not_found' }, principal.subject);
    const { id, subject } = record;
    const outcome = await counted(metrics, 'revoke', store.revoke({ id, subject }));
    if (outcome.code === 'unknown') return refuse(response, { code: 'not_found' }, principal.subject);
    if (outcome.code !== 'ended') log.info({ event: 'revoke', ticket_id: id, subject });
    if (outcome.code === 'closing')
      await tell(outcome.gatewayId, { command: 'close', ticket_id: id, reason: 'revoked' });
    response.status(204).end();
  }

  async function renew(request: Request<{ id: string }>, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const record = await ownRecord(request.params.id, principal);
    if (record === null) return refuse(response, { code: 'not_found' }, principal.subject);
    const { id, subject } = record;
    const maxSessionMs = rules.maxSessionSeconds * 1000;
    const renewing = store.renew({ id, subject, maxSessionMs, credentialsExpireAt: principal.expiresAt });
    const outcome = await counted(metrics, 'renew', renewing);
    if (outcome.code !== 'renewed') return refuse(response, { code: 'not_found' }, principal.subject);
    const { sessionExpiresAt } = outcome;
    log.info({ event: 'renew', ticket_id: id, subject });
    await tell(outcome.gatewayId, { command: 'renew', ticket_id: id, session_expires_at: sessionExpiresAt });
    response.json({ id, session_expires_at: timestamp(sessionExpiresAt) });
  }

  /** Should the command be lost, the gateway learns it with its next lease. */
  async function tell(gatewayId: string, command: GatewayCommand): Promise<void> {
    await counted(metrics, 'control', store.command(gatewayId, command)).catch(() => {});
  }

  const methodNotAllowed =
    (...allow: string[]) =>
    (_request: Request, response: Response): void =>
      refuse(response, { code: 'method_not_allowed', allow });

  // Whatever type the body claims to have, it is JSON or it is refused.
  const body = express.json({ limit: MAX_BODY, inflate: false, type: () => true });
  router.post('/tickets', signIn, body, issue);
  router.get('/tickets', signIn, list);
  router.all('/tickets', methodNotAllowed('GET', 'HEAD', 'POST'));
  router.get('/tickets/:id', signIn, show);
  router.delete('/tickets/:id', signIn, revoke);
  router.all('/tickets/:id', methodNotAllowed('GET', 'HEAD', 'DELETE'));
  router.post('/tickets/:id/renew', signIn, renew);
  router.all('/tickets/:id/renew', methodNotAllowed('POST'));
  return router;
}

function mayActFor(principal: Principal, subject: string): boolean {
  return subject === principal.subject || principal.delegation?.mayActFor(subject) === true;
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
