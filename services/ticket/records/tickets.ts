import { type Request, type Response, Router } from 'express';
import type { Logger } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { GatewayCommand, TicketRecord, TicketStore } from '../../../shared/store/store.ts';
import { isTicketId } from '../../../shared/ticket/ticket.ts';
import type { Refuse } from '../answers/answering.ts';
import { timestamp } from '../answers/json.ts';
import type { Principal } from '../authenticators/authenticator.ts';
import type { Policy } from '../issuing/policy.ts';
import type { SignedIn, SignInMiddleware } from '../sign-in/sign-in.ts';
import { formatCursor, parsePage } from './page.ts';
import { refusalOf, type Verb } from './permit.ts';
import { presentTicket } from './present.ts';

export interface TicketRoutesOptions {
  readonly store: TicketStore;
  readonly signIn: SignInMiddleware;
  readonly rules: { readonly maxSessionSeconds: number; readonly maxSessionTotalSeconds: number };
  /** The ticket policy in force now. */
  readonly policy: () => Policy | undefined;
  readonly log: Logger;
  readonly refuse: Refuse;
}

/** The routes that list the caller's tickets, show one, revoke one, and renew its connection. */
export function createTicketRoutes(options: TicketRoutesOptions): Router {
  const { store, signIn, rules, policy, log, refuse } = options;
  const router = Router({ caseSensitive: true });

  async function list(request: Request, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const parsed = parsePage(request.url);
    if (!parsed.ok) return refuse(response, { code: 'request_invalid', errors: parsed.errors }, principal.subject);
    const { records, next } = await store.list(principal.subject, parsed.page);
    const shown = records.filter((record) => refusalOf('list', principal, record, policy()) === undefined);
    response.json({ tickets: shown.map(presentTicket), ...(next && { next: formatCursor(next) }) });
  }

  /** The record of a ticket with which the caller may do this, or the refusal. An unknown ticket looks like a foreign one. */
  async function permitted(verb: Verb, id: string, caller: Principal): Promise<TicketRecord | Refusal> {
    const record = isTicketId(id) ? await store.read(id) : null;
    if (record === null) return { code: 'not_found' };
    return refusalOf(verb, caller, record, policy()) ?? record;
  }

  async function show(request: Request<{ id: string }>, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const record = await permitted('read', request.params.id, principal);
    if ('code' in record) return refuse(response, record, principal.subject);
    response.json(presentTicket(record));
  }

  async function revoke(request: Request<{ id: string }>, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const record = await permitted('revoke', request.params.id, principal);
    if ('code' in record) return refuse(response, record, principal.subject);
    const { id, subject } = record;
    const outcome = await store.revoke({ id, subject });
    if (outcome.code === 'unknown') return refuse(response, { code: 'not_found' }, principal.subject);
    if (outcome.code !== 'ended') log.info({ event: 'revoke', ticket_id: id, subject });
    if (outcome.code === 'closing')
      await tell(outcome.gatewayId, { command: 'close', ticket_id: id, reason: 'revoked' });
    response.status(204).end();
  }

  async function renew(request: Request<{ id: string }>, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const record = await permitted('renew', request.params.id, principal);
    if ('code' in record) return refuse(response, record, principal.subject);
    const { id, subject } = record;
    const outcome = await store.renew({
      id,
      subject,
      maxSessionMs: rules.maxSessionSeconds * 1000,
      maxTotalMs: rules.maxSessionTotalSeconds * 1000,
      credentialsExpireAt: principal.expiresAt,
      asOf: Date.now(),
      byKey: principal.delegation !== undefined,
    });
    if (outcome.code !== 'renewed') return refuse(response, { code: 'not_found' }, principal.subject);
    const { sessionExpiresAt } = outcome;
    log.info({ event: 'renew', ticket_id: id, subject });
    await tell(outcome.gatewayId, { command: 'renew', ticket_id: id, session_expires_at: sessionExpiresAt });
    response.json({ id, session_expires_at: timestamp(sessionExpiresAt) });
  }

  /** Sends a command to a gateway. If it is lost, the gateway learns of the change with its next lease. */
  async function tell(gatewayId: string, command: GatewayCommand): Promise<void> {
    await store.command(gatewayId, command).catch(() => {});
  }

  const methodNotAllowed =
    (...allow: string[]) =>
    (_request: Request, response: Response): void =>
      refuse(response, { code: 'method_not_allowed', allow });

  router.get('/tickets', signIn, list);
  router.all('/tickets', methodNotAllowed('GET', 'HEAD', 'POST'));
  router.get('/tickets/:id', signIn, show);
  router.delete('/tickets/:id', signIn, revoke);
  router.all('/tickets/:id', methodNotAllowed('GET', 'HEAD', 'DELETE'));
  router.post('/tickets/:id/renew', signIn, renew);
  router.all('/tickets/:id/renew', methodNotAllowed('POST'));
  return router;
}
