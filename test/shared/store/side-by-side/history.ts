import { expect } from 'vitest';
import type { ConsumeOutcome, ConsumeRequest, TicketRecord } from '../../../../shared/store/store.ts';
import type { Minted } from '../requests.ts';

export interface Bindings {
  readonly audience: string | undefined;
  readonly path: string | undefined;
  readonly origin: string | undefined;
  readonly address: string | undefined;
}

/** A ticket, and what follows from the answers so far. */
export interface Known extends Minted, Bindings {
  /** Its record when it was last read. */
  record: TicketRecord;
  /** The attempt that was admitted, or that a lease restored. There is never another. */
  holder?: string;
  /** The attempt that spent the ticket, and the answer that it gets each time. */
  decided?: { readonly attemptId: string; readonly answer: string };
  /** Until when the connection takes a slot, Unix ms; 0 if it takes none. */
  heldUntil: number;
  /** Whether the connection was closed, or its admission taken back. */
  ended: boolean;
}

/**
 * The tickets of one run, and the rules that hold for them after any commands. Two stores that agree can both be
 * wrong, so the rules do not depend on either.
 */
export class History {
  readonly tickets: Known[] = [];

  of(subject: string): Known[] {
    return this.tickets.filter((ticket) => ticket.subject === subject);
  }

  unspent(subject: string, at: number): Known[] {
    return this.of(subject).filter((ticket) => isUnspent(ticket, at));
  }

  /** The connections that take a slot of the subject, the oldest first. */
  slots(subject: string, at: number): Known[] {
    return this.of(subject)
      .filter(({ heldUntil }) => heldUntil > at)
      .sort((a, b) => (a.record.openedAt ?? 0) - (b.record.openedAt ?? 0) || (a.id < b.id ? -1 : 1));
  }

  /** Checks an answer of consume. Must be called before the records are read again. */
  consumed(ticket: Known, request: ConsumeRequest, outcome: ConsumeOutcome, at: number, leaseMs: number): void {
    const { code } = outcome;
    if (request.secretSha256 !== ticket.secretSha256)
      return void expect(outcome).toStrictEqual({ code: 'ticket_unknown' });
    expect(outcome).toMatchObject({ subject: ticket.subject });
    if (ticket.decided?.attemptId === request.attemptId) {
      expect(code, 'the same attempt gets the same answer').toBe(ticket.decided.answer);
      if (outcome.code === 'admitted') {
        expect(outcome).toMatchObject({ openedAt: ticket.record.openedAt, replaced: [] });
      }
      return;
    }

    const slots = this.slots(ticket.subject, at);
    const { maxConnections } = request;
    const excess = maxConnections === 0 ? 0 : Math.max(0, slots.length - maxConnections + 1);
    expect(code, 'the first refusal in the order of the contract').toBe(
      refusalOf(ticket, request, excess, at) ?? 'admitted',
    );
    if (isStoredUnspent(ticket)) ticket.decided = { attemptId: request.attemptId, answer: code };
    if (outcome.code !== 'admitted') return;

    expect(ticket.holder, 'a ticket is admitted once').toBeUndefined();
    const oldest = slots.slice(0, excess);
    expect(outcome.replaced).toStrictEqual(oldest.map(({ id, record }) => ({ id, gatewayId: record.gatewayId })));
    for (const replaced of oldest) replaced.heldUntil = 0;
    ticket.holder = request.attemptId;
    ticket.heldUntil = at + leaseMs;
    if (maxConnections > 0) {
      expect(this.slots(ticket.subject, at).length, 'no more than the limit').toBeLessThanOrEqual(maxConnections);
    }
  }

  /** Compares the records of a subject with those before, and its list with the records. */
  seen(subject: string, records: ReadonlyArray<TicketRecord | null>, list: readonly TicketRecord[]): void {
    const broken: string[] = [];
    const listed = new Set(list.map(({ id }) => id));
    for (const [index, ticket] of this.of(subject).entries()) {
      const record = records[index];
      if (record === null || record === undefined) throw new Error('a record was lost');
      broken.push(...brokenBy(ticket, record, listed.has(ticket.id)));
      ticket.record = record;
    }
    const issued = list.map(({ issuedAt }) => issuedAt);
    if (issued.some((moment, index) => moment > (issued[index - 1] ?? moment)))
      broken.push('a list is the newest first');
    expect(broken).toStrictEqual([]);
  }
}

/** Neither spent nor revoked; it may have expired. */
function isStoredUnspent({ decided, record }: Known): boolean {
  return decided === undefined && record.state !== 'revoked';
}

export function isUnspent(ticket: Known, at: number): boolean {
  return isStoredUnspent(ticket) && at < ticket.record.expiresAt;
}

/** The first refusal that applies, in the order of the contract. */
function refusalOf(ticket: Known, request: ConsumeRequest, excess: number, at: number): string | undefined {
  const { decided, record } = ticket;
  const refusals: ReadonlyArray<readonly [code: string, applies: boolean]> = [
    ['ticket_revoked', record.state === 'revoked'],
    ['ticket_consumed', decided !== undefined && decided.answer !== 'ticket_expired'],
    ['ticket_expired', decided !== undefined || at >= record.expiresAt],
    ['audience_refused', request.audience !== undefined && request.audience !== ticket.audience],
    ['path_refused', ticket.path !== undefined && request.path !== ticket.path],
    ['origin_refused', ticket.origin !== undefined && request.origin !== ticket.origin],
    ['address_refused', request.bindAddress && (ticket.address === undefined || request.address !== ticket.address)],
    ['connection_limit', excess > 0 && request.limitPolicy === 'refuse'],
  ];
  return refusals.find(([, applies]) => applies)?.[0];
}

/** The rules that the new record of a ticket breaks. */
function brokenBy({ record: before, holder, ended }: Known, after: TicketRecord, listed: boolean): string[] {
  const { state } = after;
  const final = before.state === 'revoked' || before.state === 'refused' || before.closedAt !== undefined;
  const rules: ReadonlyArray<readonly [rule: string, kept: boolean]> = [
    ['what it was issued with stays', FIXED.every((field) => after[field] === before[field])],
    ['a path stays for as long as it may open', after.path === before.path || neverOpens(after)],
    ['attempts are never taken back', after.attempts >= before.attempts],
    ['what is spent stays spent', before.state === 'issued' || state !== 'issued'],
    [
      'what has ended stays as it is',
      !final || (state === before.state && (before.closedAt ?? after.closedAt) === after.closedAt),
    ],
    ['what is open was admitted', state !== 'open' || holder !== undefined],
    ['what is unspent or open is listed', listed || (state !== 'issued' && state !== 'open')],
    ['what has ended is not listed', !listed || !(ended || ENDED.includes(state))],
  ];
  return rules.filter(([, kept]) => !kept).map(([rule]) => `${after.id}: ${rule}`);
}

function neverOpens({ state, openedAt, path }: TicketRecord): boolean {
  return path === undefined && openedAt === undefined && (state === 'revoked' || ENDED.includes(state));
}

const FIXED = ['subject', 'audience', 'origin', 'address', 'issuedAt', 'expiresAt'] as const;
const ENDED: readonly TicketRecord['state'][] = ['closed', 'refused', 'expired'];

/** The part of a record that only operations change, and not the clock. */
export function writtenOf(record: TicketRecord): Partial<TicketRecord> {
  const { state: _state, closeCode: _closeCode, ...written } = record;
  return written;
}
