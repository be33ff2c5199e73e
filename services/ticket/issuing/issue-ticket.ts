import type { IssueOutcome, TicketStore } from '../../../shared/store/store.ts';
import type { Claims } from '../../../shared/ticket/claims.ts';
import { hashSecret, mintTicket, type Ticket } from '../../../shared/ticket/ticket.ts';
import type { TicketRequest } from './ticket-request.ts';

export interface TicketRules {
  readonly ttlSeconds: number;
  readonly maxSessionSeconds: number;
  /** With all renewals; 0 for no limit. */
  readonly maxSessionTotalSeconds: number;
  readonly maxPendingPerSubject: number;
}

interface Context {
  readonly store: TicketStore;
  readonly rules: TicketRules;
}

/** What a ticket is issued with. */
export interface Grant extends Pick<TicketRequest, 'audience' | 'path' | 'ttlSeconds'> {
  /** What the issuer of the credentials, the policy, or a back end with an API key vouches for. */
  readonly claims: Claims | undefined;
  /** What any other caller asked for. */
  readonly clientClaims: Claims | undefined;
}

interface Order {
  readonly subject: string;
  /** When the caller's credentials expire, Unix ms. */
  readonly credentialsExpireAt: number | undefined;
  readonly granted: Grant;
  /** The `Origin` of the request. The ticket is bound to it. */
  readonly origin: string | undefined;
  readonly address: string;
}

interface Issued {
  readonly ticket: Ticket;
  readonly outcome: Exclude<IssueOutcome, { code: 'id_taken' }>;
}

/** Two ticket ids in a row that are taken mean that the random source is broken. */
const MINT_ATTEMPTS = 2;

/** Mints a ticket for a caller and stores it. */
export async function issueTicket(order: Order, { store, rules }: Context): Promise<Issued> {
  const { subject, credentialsExpireAt, granted, origin, address } = order;
  for (let attempt = 0; attempt < MINT_ATTEMPTS; attempt += 1) {
    const ticket = mintTicket(subject);
    const outcome = await store.issue({
      id: ticket.id,
      secretSha256: hashSecret(ticket.secret),
      subject,
      audience: granted.audience,
      path: granted.path,
      claims: granted.claims && JSON.stringify(granted.claims),
      clientClaims: granted.clientClaims && JSON.stringify(granted.clientClaims),
      origin,
      address,
      ttlMs: Math.min(granted.ttlSeconds ?? rules.ttlSeconds, rules.ttlSeconds) * 1000,
      maxSessionMs: longestSession(rules) * 1000,
      credentialsExpireAt,
      asOf: Date.now(),
      maxPending: rules.maxPendingPerSubject,
    });
    if (outcome.code !== 'id_taken') return { ticket, outcome };
  }
  throw new Error('several ticket ids in a row were taken: the random source is broken');
}

/** The longest session that a ticket begins, in seconds: no longer than it may become with all renewals. */
function longestSession({ maxSessionSeconds, maxSessionTotalSeconds }: TicketRules): number {
  return Math.min(maxSessionSeconds, maxSessionTotalSeconds || maxSessionSeconds);
}
