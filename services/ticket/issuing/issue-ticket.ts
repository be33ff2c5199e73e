import type { IssueOutcome, TicketStore } from '../../../shared/store/store.ts';
import { hashSecret, mintTicket, type Ticket } from '../../../shared/ticket/ticket.ts';
import type { TicketWish } from './issue-request.ts';

export interface TicketRules {
  readonly ttlSeconds: number;
  readonly maxSessionSeconds: number;
  readonly maxPendingPerSubject: number;
}

interface Context {
  readonly store: TicketStore;
  readonly rules: TicketRules;
}

interface Asked {
  readonly subject: string;
  /** When the caller's credentials expire, Unix ms. */
  readonly credentialsExpireAt: number | undefined;
  readonly wish: TicketWish;
  /** `Origin` of the request that asks: the ticket is bound to it. */
  readonly origin: string | undefined;
  readonly address: string;
}

interface Issued {
  readonly ticket: Ticket;
  readonly outcome: Exclude<IssueOutcome, { code: 'id_taken' }>;
}

/** A random part that is taken already is so unlikely that a second one in a row is a broken generator. */
const MINT_ATTEMPTS = 2;

/** Mints a ticket for a caller and stores it. */
export async function issueTicket(asked: Asked, { store, rules }: Context): Promise<Issued> {
  const { subject, credentialsExpireAt, wish, origin, address } = asked;
  for (let attempt = 0; attempt < MINT_ATTEMPTS; attempt += 1) {
    const ticket = mintTicket(subject);
    const outcome = await store.issue({
      id: ticket.id,
      secretSha256: hashSecret(ticket.secret),
      subject,
      audience: wish.audience,
      path: wish.path,
      claims: wish.claims && JSON.stringify(wish.claims),
      origin,
      address,
      ttlMs: Math.min(wish.ttlSeconds ?? rules.ttlSeconds, rules.ttlSeconds) * 1000,
      maxSessionMs: rules.maxSessionSeconds * 1000,
      credentialsExpireAt,
      maxPending: rules.maxPendingPerSubject,
    });
    if (outcome.code !== 'id_taken') return { ticket, outcome };
  }
  throw new Error('several ticket ids in a row were taken: the random source is broken');
}
