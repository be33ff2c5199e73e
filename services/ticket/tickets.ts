import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { clientAddress, type Trust } from '../../shared/http/client-address.ts';
import type { Metrics } from '../../shared/metrics.ts';
import { isOrigin } from '../../shared/origin.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Refusal } from '../../shared/refusals.ts';
import { counted } from '../../shared/store/create-store.ts';
import type { TicketStore } from '../../shared/store/store.ts';
import { formatTicket, isTicketId } from '../../shared/ticket.ts';
import { type Announcement, waysToPresent } from './announce.ts';
import { authenticate } from './authenticate.ts';
import type { Authenticator, Principal } from './authenticators/authenticator.ts';
import { createWishParser } from './issue-request.ts';
import { issueTicket, type TicketRules } from './issue-ticket.ts';
import { presentTicket, timestamp } from './present.ts';

export interface TicketRoutesOptions {
  readonly store: TicketStore;
  readonly authenticators: readonly Authenticator[];
  readonly rules: TicketRules;
  readonly announcement: Announcement;
  readonly trustProxy: Trust;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly refuse: (response: Response, refusal: Refusal, subject?: string) => void;
}

type Authenticated = Response<unknown, { principal: Principal }>;

/** Room for the largest claims and the fields around them; more is not read. */
const MAX_BODY = '16kb';

/** The routes of tickets: ask for one, look at one's own, withdraw one, renew what it bought. */
export function createTicketRoutes(options: TicketRoutesOptions): Router {
  const { store, authenticators, rules, announcement, trustProxy, log, metrics, refuse } = options;
  const router = Router({ caseSensitive: true });
  const parseWish = createWishParser(rules.ttlSeconds);

  async function signIn(request: Request, response: Authenticated, next: NextFunction): Promise<void> {
    const caller = await authenticate(request, authenticators);
    if (!caller.ok) return refuse(response, caller.refusal);
    response.locals.principal = caller.principal;
    next();
  }

  async function issue(request: Request, response: Authenticated): Promise<void> {
    const { principal } = response.locals;
    const parsed = parseWish(request.body);
    if (!parsed.ok) return refuse(response, { code: 'request_invalid', errors: parsed.errors }, principal.subject);
    const { wish } = parsed;
    if (wish.subject !== undefined && wish.subject !== principal.subject) {
      return refuse(response, { code: 'subject_refused' }, principal.subject);
    }
    const { origin } = request.headers;
    // `null` too: no gateway would ever take a ticket that is bound to it.
    if (origin !== undefined && !isOrigin(origin)) {
      return refuse(response, { code: 'origin_refused' }, principal.subject);
    }

    const address = clientAddress(request, trustProxy);
    const { ticket, outcome } = await issueTicket({ principal, wish, origin, address }, options);
    if (outcome.code === 'pending_limit') {
      const retryAfterSeconds = Math.max(1, Math.ceil(outcome.retryAfterMs / 1000));
      return refuse(response, { code: 'pending_limit', retryAfterSeconds }, principal.subject);
    }
    metrics.count('oncegate_tickets_issued_total');
    log.info({ event: 'issue', ticket_id: ticket.id, subject: principal.subject });
    response
      .status(201)
      .location(`/tickets/${ticket.id}`)
      .json({
        id: ticket.id,
        ticket: formatTicket(ticket),
        expires_in: Math.ceil((outcome.expiresAt - outcome.issuedAt) / 1000),
        expires_at: timestamp(outcome.expiresAt),
        ...waysToPresent(ticket, wish.path, announcement),
      });
  }

  async function list(_request: Request, response: Authenticated): Promise<void> {
    const records = await counted(metrics, 'list', store.list(response.locals.principal.subject));
    response.json({ tickets: records.map(presentTicket) });
  }

  async function show(request: Request<{ id: string }>, response: Authenticated): Promise<void> {
    const { id } = request.params;
    const { subject } = response.locals.principal;
    const record = isTicketId(id) ? await counted(metrics, 'read', store.read(id)) : null;
    // Another subject's ticket and one that never was get the same answer.
    if (record === null || record.subject !== subject) return refuse(response, { code: 'not_found' }, subject);
    response.json(presentTicket(record));
  }

  async function revoke(request: Request<{ id: string }>, response: Authenticated): Promise<void> {
    const { id } = request.params;
    const { subject } = response.locals.principal;
    if (!isTicketId(id)) return refuse(response, { code: 'not_found' }, subject);
    const outcome = await counted(metrics, 'revoke', store.revoke({ id, subject }));
    if (outcome.code === 'unknown') return refuse(response, { code: 'not_found' }, subject);
    if (outcome.code !== 'ended') log.info({ event: 'revoke', ticket_id: id, subject });
    if (outcome.code === 'closing') {
      const command = { command: 'close', ticket_id: id, reason: 'revoked' } as const;
      // Should it be lost, the gateway learns it with its next lease.
      await counted(metrics, 'control', store.command(outcome.gatewayId, command)).catch(() => {});
    }
    response.status(204).end();
  }

  async function renew(request: Request<{ id: string }>, response: Authenticated): Promise<void> {
    const { id } = request.params;
    const { subject, expiresAt: credentialsExpireAt } = response.locals.principal;
    if (!isTicketId(id)) return refuse(response, { code: 'not_found' }, subject);
    const maxSessionMs = rules.maxSessionSeconds * 1000;
    const outcome = await counted(metrics, 'renew', store.renew({ id, subject, maxSessionMs, credentialsExpireAt }));
    if (outcome.code !== 'renewed') return refuse(response, { code: 'not_found' }, subject);
    log.info({ event: 'renew', ticket_id: id, subject });
    const command = { command: 'renew', ticket_id: id, session_expires_at: outcome.sessionExpiresAt } as const;
    // Should it be lost, the gateway learns it with its next lease.
    await counted(metrics, 'control', store.command(outcome.gatewayId, command)).catch(() => {});
    response.json({ id, session_expires_at: timestamp(outcome.sessionExpiresAt) });
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
