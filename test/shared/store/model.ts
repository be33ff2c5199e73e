/**
 * The protocol as a plain model: what a ticket is, what becomes of it, who is counted. It knows no store,
 * no clock and no record; tests compare it with both stores.
 */

export interface Bindings {
  readonly audience: string | undefined;
  readonly path: string | undefined;
  readonly origin: string | undefined;
  readonly address: string | undefined;
}

export interface Presented {
  readonly attemptId: string;
  readonly gatewayId: string;
  readonly rightSecret: boolean;
  readonly audience: string | undefined;
  readonly path: string;
  readonly origin: string | undefined;
  readonly address: string | undefined;
  readonly bindAddress: boolean;
  readonly maxConnections: number;
  readonly limitPolicy: 'refuse' | 'replace';
}

export interface ModelTicket extends Bindings {
  readonly id: string;
  readonly secretSha256: string;
  readonly subject: string;
  /** Whether its time is over, should it still be unspent. */
  readonly late: boolean;
  state: 'issued' | 'open' | 'closed' | 'refused' | 'expired' | 'revoked';
  /** The attempt that spent it, and the answer that this attempt got. */
  spentBy?: { readonly attemptId: string; readonly answer: string };
  gatewayId?: string;
  /** Turn in which the connection was opened: a later one is a higher one. */
  openedIn?: number;
  /** Whether it takes one of its subject's places. */
  counted: boolean;
  /** Whether the gateway has said that the connection has ended. */
  over: boolean;
  closeReason?: string;
  attempts: number;
  lastOutcome?: string;
}

export interface ConsumeAnswer {
  readonly code: string;
  readonly replaced?: ReadonlyArray<{ readonly id: string; readonly gatewayId: string }>;
}

export class Model {
  readonly tickets: ModelTicket[] = [];
  #turn = 0;

  of(subject: string): ModelTicket[] {
    return this.tickets.filter((ticket) => ticket.subject === subject);
  }

  issue(ticket: Pick<ModelTicket, 'id' | 'secretSha256' | 'subject' | 'late'> & Bindings, maxPending: number): string {
    if (this.of(ticket.subject).filter(isUnspent).length >= maxPending) return 'pending_limit';
    this.tickets.push({ ...ticket, state: 'issued', counted: false, over: false, attempts: 0 });
    return 'issued';
  }

  consume(ticket: ModelTicket, presented: Presented): ConsumeAnswer {
    if (!presented.rightSecret) return { code: 'ticket_unknown' };
    if (ticket.spentBy?.attemptId === presented.attemptId) {
      const { answer } = ticket.spentBy;
      return answer === 'admitted' ? { code: answer, replaced: [] } : { code: answer };
    }
    const answer = this.#decide(ticket, presented);
    ticket.attempts += 1;
    ticket.lastOutcome = answer.code;
    return answer;
  }

  #decide(ticket: ModelTicket, presented: Presented): ConsumeAnswer {
    if (ticket.state === 'revoked') return { code: 'ticket_revoked' };
    if (['open', 'closed', 'refused'].includes(ticket.state)) return { code: 'ticket_consumed' };
    if (ticket.state === 'expired') return { code: 'ticket_expired' };

    const places = this.of(ticket.subject)
      .filter((other) => other.counted)
      .sort((a, b) => (a.openedIn ?? 0) - (b.openedIn ?? 0));
    const excess = presented.maxConnections === 0 ? 0 : Math.max(0, places.length - presented.maxConnections + 1);
    const code = objectionTo(ticket, presented, excess);
    ticket.spentBy = { attemptId: presented.attemptId, answer: code ?? 'admitted' };
    if (code !== undefined) {
      ticket.state = code === 'ticket_expired' ? 'expired' : 'refused';
      return { code };
    }

    const replaced = places.slice(0, excess);
    for (const other of replaced) {
      other.counted = false;
      if (other.state === 'open') {
        other.state = 'revoked';
        other.closeReason = 'replaced';
      }
    }
    this.#open(ticket, presented.gatewayId);
    return {
      code: 'admitted',
      replaced: replaced.map(({ id, gatewayId }) => ({ id, gatewayId: gatewayId ?? '' })),
    };
  }

  #open(ticket: ModelTicket, gatewayId: string): void {
    this.#turn += 1;
    Object.assign(ticket, { state: 'open', counted: true, gatewayId, openedIn: this.#turn });
  }

  note(ticket: ModelTicket, rightSecret: boolean, outcome: string): string {
    if (!rightSecret) return 'ticket_unknown';
    ticket.attempts += 1;
    ticket.lastOutcome = outcome;
    return 'noted';
  }

  close(ticket: ModelTicket, attemptId: string, closeReason: string): string {
    if (ticket.spentBy?.attemptId !== attemptId || ticket.spentBy.answer !== 'admitted') return 'not_held';
    if (ticket.over) return 'already_closed';
    ticket.over = true;
    ticket.counted = false;
    if (ticket.state === 'open') {
      ticket.state = 'closed';
      ticket.closeReason = closeReason;
    }
    return 'closed';
  }

  refuse(ticket: ModelTicket, attemptId: string, outcome: string): string {
    if (ticket.spentBy?.attemptId !== attemptId || ticket.spentBy.answer !== 'admitted' || ticket.over) {
      return 'not_held';
    }
    ticket.spentBy = { attemptId, answer: outcome };
    ticket.lastOutcome = outcome;
    ticket.counted = false;
    delete ticket.openedIn;
    if (ticket.state === 'open') ticket.state = 'refused';
    return 'refused';
  }

  revoke(ticket: ModelTicket, subject: string | undefined): string {
    if (subject !== undefined && subject !== ticket.subject) return 'unknown';
    if (isUnspent(ticket)) {
      ticket.state = 'revoked';
      return 'revoked';
    }
    if (ticket.state === 'open') {
      ticket.state = 'revoked';
      ticket.closeReason = 'revoked';
      return 'closing';
    }
    return ticket.state === 'revoked' && ticket.openedIn !== undefined && !ticket.over ? 'closing' : 'ended';
  }

  renew(ticket: ModelTicket, subject: string): string {
    if (subject !== ticket.subject) return 'unknown';
    return ticket.state === 'open' ? 'renewed' : 'not_open';
  }

  lease(ticket: ModelTicket, attemptId: string, gatewayId: string): string {
    if (ticket.state === 'issued') {
      ticket.spentBy = { attemptId, answer: 'admitted' };
      this.#open(ticket, gatewayId);
      return 'restored';
    }
    if (ticket.state !== 'open' || ticket.spentBy?.attemptId !== attemptId) return 'ended';
    ticket.counted = true;
    return 'held';
  }

  /** Every gateway has been silent for longer than a lease. */
  lapse(): void {
    for (const ticket of this.tickets) ticket.counted = false;
  }
}

/** Neither spent nor withdrawn nor too late. */
export function isUnspent(ticket: ModelTicket): boolean {
  return ticket.state === 'issued' && !ticket.late;
}

/** The state that everybody reads, the clock's part in it included. */
export function visibleState(ticket: ModelTicket): string {
  if (ticket.state === 'issued' && ticket.late) return 'expired';
  if (ticket.state === 'open' && !ticket.counted) return 'closed';
  return ticket.state;
}

/** What speaks against an unspent ticket first. */
function objectionTo(ticket: ModelTicket, presented: Presented, excess: number): string | undefined {
  const objections: ReadonlyArray<readonly [boolean, string]> = [
    [ticket.late, 'ticket_expired'],
    [presented.audience !== undefined && presented.audience !== ticket.audience, 'audience_refused'],
    [ticket.path !== undefined && presented.path !== ticket.path, 'path_refused'],
    [ticket.origin !== undefined && presented.origin !== ticket.origin, 'origin_refused'],
    [
      presented.bindAddress && (ticket.address === undefined || presented.address !== ticket.address),
      'address_refused',
    ],
    [excess > 0 && presented.limitPolicy === 'refuse', 'connection_limit'],
  ];
  return objections.find(([holds]) => holds)?.[1];
}
