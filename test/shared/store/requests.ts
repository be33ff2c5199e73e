import { randomUUID } from 'node:crypto';
import type { ConsumeRequest, IssueRequest, NoteRequest, TicketStore } from '../../../shared/store/store.ts';
import { hashSecret, mintTicket } from '../../../shared/ticket/ticket.ts';

/** A ticket as a test knows it. */
export interface Minted {
  readonly id: string;
  readonly secretSha256: string;
  readonly subject: string;
}

export function mint(subject = 'ada'): Minted {
  const { id, secret } = mintTicket(subject);
  return { id, secretSha256: hashSecret(secret), subject };
}

/** Two subjects with the same digest, so that all their keys have the same hash tag. */
export const COLLIDING = ['user-a0W1XO21dWj', 'user-VPhE8ZwcVy7'] as const;

/** The hash of a secret that no ticket has. */
export const WRONG_SECRET = hashSecret('wrong');

export function issueOf(ticket: Minted, fields: Partial<IssueRequest> = {}): IssueRequest {
  return { ...ticket, ttlMs: 30_000, maxSessionMs: 3_600_000, maxPending: 20, ...fields };
}

/** A request that nothing refuses, as a new attempt. */
export function consumeOf(ticket: Minted, fields: Partial<ConsumeRequest> = {}): ConsumeRequest {
  return {
    id: ticket.id,
    secretSha256: ticket.secretSha256,
    attemptId: randomUUID(),
    gatewayId: 'gateway-1',
    path: '/',
    bindAddress: false,
    maxConnections: 0,
    limitPolicy: 'refuse',
    ...fields,
  };
}

export function noteOf(ticket: Minted, fields: Partial<NoteRequest> = {}): NoteRequest {
  return {
    id: ticket.id,
    secretSha256: ticket.secretSha256,
    gatewayId: 'gateway-1',
    outcome: 'draining',
    ...fields,
  };
}

/** A fresh ticket, stored. */
export async function issued(store: TicketStore, fields: Partial<IssueRequest> = {}, subject = 'ada'): Promise<Minted> {
  const ticket = mint(subject);
  const outcome = await store.issue(issueOf(ticket, fields));
  if (outcome.code !== 'issued') throw new Error(`not issued: ${outcome.code}`);
  return ticket;
}

/** An open connection as its gateway knows it. */
export interface Opened extends Minted {
  readonly attemptId: string;
  readonly gatewayId: string;
  readonly openedAt: number;
  readonly sessionExpiresAt: number;
}

/** A fresh ticket, stored and consumed. */
export async function opened(
  store: TicketStore,
  consume: Partial<ConsumeRequest> = {},
  subject = 'ada',
  issue: Partial<IssueRequest> = {},
): Promise<Opened> {
  const ticket = await issued(store, issue, subject);
  const request = consumeOf(ticket, consume);
  const outcome = await store.consume(request);
  if (outcome.code !== 'admitted') throw new Error(`not admitted: ${outcome.code}`);
  const { attemptId, gatewayId } = request;
  return {
    ...ticket,
    attemptId,
    gatewayId,
    openedAt: outcome.openedAt,
    sessionExpiresAt: outcome.sessionExpiresAt,
  };
}

/** The request with which a gateway closes a connection. */
export function closeOf({ id, attemptId }: Opened): Parameters<TicketStore['close']>[0] {
  return { id, attemptId, closeCode: 1000, closeReason: 'bye' };
}
