import fc from 'fast-check';
import { expect } from 'vitest';
import { COLLIDING, mint, WRONG_SECRET } from '../requests.ts';
import { type Bindings, type History, isUnspent, type Known, writtenOf } from './history.ts';
import type { Stage } from './stage.ts';

type Command = fc.AsyncCommand<History, Stage>;

const SHORT_MS = 5;
const LONG_MS = 1_000_000_000;
const MAX_PENDING = 4;
/** Tests do not wait for longer leases, ms. */
const MAX_LAPSE_MS = 100;

/** How a ticket is presented to consume. */
interface Presented {
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

/** The answers that consume has given. */
export type Answers = Set<string>;

/** Reads the records of a subject and its list, and compares them with the history. */
async function look(history: History, stage: Stage, subject: string): Promise<void> {
  const ids = history.of(subject).map(({ id }) => id);
  if (ids.length === 0) return;
  const { records, list } = await stage.look(async (store) => ({
    records: await Promise.all(ids.map((id) => store.read(id))),
    list: (await store.list(subject)).records,
  }));
  history.seen(subject, records, list);
}

/** A command about the ticket that is so many before the newest. */
function onTicket(
  text: string,
  index: number,
  run: (ticket: Known, stage: Stage, history: History) => Promise<void>,
): Command {
  return {
    check: (history) => history.tickets.length > 0,
    async run(history, stage) {
      const ticket = history.tickets.toReversed()[index % history.tickets.length];
      if (ticket === undefined) throw new Error('there is no ticket');
      await run(ticket, stage, history);
      await look(history, stage, ticket.subject);
    },
    toString: () => `#${index}: ${text}`,
  };
}

function issue(subject: string, bindings: Bindings, ttlMs: number): Command {
  return {
    check: () => true,
    async run(history, stage) {
      const ticket = mint(subject);
      const request = { ...ticket, ...bindings, ttlMs, maxSessionMs: LONG_MS, maxPending: MAX_PENDING };
      const { answer, at } = await stage.ask((store) => store.issue(request));
      const unspent = history.unspent(ticket.subject, at);
      expect(unspent.length, 'no more unspent tickets than the limit').toBeLessThanOrEqual(MAX_PENDING);
      if (unspent.length === MAX_PENDING) {
        const first = Math.min(...unspent.map(({ record }) => record.expiresAt));
        expect(answer).toStrictEqual({ code: 'pending_limit', retryAfterMs: first - at });
        return;
      }
      const times = { issuedAt: at, expiresAt: at + ttlMs, sessionExpiresAt: at + LONG_MS };
      expect(answer).toStrictEqual({ code: 'issued', ...times });
      const record = await stage.look((store) => store.read(ticket.id));
      if (record === null) throw new Error('there is no record');
      history.tickets.push({ ...ticket, ...bindings, record, heldUntil: 0, ended: false });
      await look(history, stage, ticket.subject);
    },
    toString: () => `issue to ${subject} for ${ttlMs} ms ${JSON.stringify(bindings)}`,
  };
}

function consume(index: number, presented: Presented, answers: Answers): Command {
  return onTicket(`consume ${JSON.stringify(presented)}`, index, async (ticket, stage, history) => {
    const { rightSecret, ...rest } = presented;
    const request = { ...rest, id: ticket.id, secretSha256: rightSecret ? ticket.secretSha256 : WRONG_SECRET };
    const before = ticket.record;
    const again = ticket.decided?.attemptId === presented.attemptId;
    const { answer, at } = await stage.ask((store) => store.consume(request));
    answers.add(answer.code);
    history.consumed(ticket, request, answer, at, stage.leaseMs);
    const after = await stage.look((store) => store.read(ticket.id));
    if (after === null) throw new Error('there is no record');
    if (!rightSecret || again) {
      expect(writtenOf(after)).toStrictEqual(writtenOf(before));
    } else {
      expect(after).toMatchObject({ attempts: before.attempts + 1, lastAttempt: { at, outcome: answer.code } });
    }
  });
}

/** Issues a ticket without bindings and consumes it at once, so that there are many open connections. */
function connect(subject: string, presented: Presented, answers: Answers): Command {
  const unbound = { audience: presented.audience, path: undefined, origin: undefined, address: presented.address };
  const issued = issue(subject, unbound, LONG_MS);
  return {
    check: () => true,
    async run(history, stage) {
      const before = history.tickets.length;
      await issued.run(history, stage);
      if (history.tickets.length > before) await consume(0, presented, answers).run(history, stage);
    },
    toString: () => `connect ${subject} ${JSON.stringify(presented)}`,
  };
}

function note(index: number, rightSecret: boolean): Command {
  return onTicket(`note ${rightSecret ? '' : 'with a wrong secret'}`, index, async (ticket, stage) => {
    const secretSha256 = rightSecret ? ticket.secretSha256 : WRONG_SECRET;
    const request = { id: ticket.id, secretSha256, gatewayId: 'noting', outcome: 'draining' } as const;
    const { answer } = await stage.ask((store) => store.note(request));
    const noted = { code: 'noted', subject: ticket.subject };
    expect(answer).toStrictEqual(rightSecret ? noted : { code: 'ticket_unknown' });
  });
}

function close(index: number, attemptId: string): Command {
  return onTicket(`close ${attemptId}`, index, async (ticket, stage) => {
    const request = { id: ticket.id, attemptId, closeCode: 1000, closeReason: 'bye' };
    const { answer } = await stage.ask((store) => store.close(request));
    const held = ticket.decided?.attemptId === attemptId && ticket.decided.answer === 'admitted';
    expect(answer.code, 'a connection is closed once').toBe(
      held ? (ticket.ended ? 'already_closed' : 'closed') : 'not_held',
    );
    if (answer.code === 'closed') end(ticket);
  });
}

function refuse(index: number, attemptId: string): Command {
  return onTicket(`refuse ${attemptId}`, index, async (ticket, stage) => {
    const request = { id: ticket.id, attemptId, outcome: 'upstream_refused', status: 409 } as const;
    const { answer } = await stage.ask((store) => store.refuse(request));
    const held = ticket.decided?.attemptId === attemptId && ticket.decided.answer === 'admitted' && !ticket.ended;
    expect(answer.code).toBe(held ? 'refused' : 'not_held');
    if (!held) return;
    end(ticket);
    ticket.decided = { attemptId, answer: request.outcome };
  });
}

function end(ticket: Known): void {
  ticket.ended = true;
  ticket.heldUntil = 0;
}

function revoke(index: number, whose: 'own' | 'foreign' | 'any'): Command {
  return onTicket(`revoke ${whose}`, index, async (ticket, stage) => {
    const subject = { own: ticket.subject, foreign: 'mallory', any: undefined }[whose];
    const { answer, at } = await stage.ask((store) => store.revoke({ id: ticket.id, subject }));
    const { holder, ended, record } = ticket;
    if (whose === 'foreign') expect(answer).toStrictEqual({ code: 'unknown' });
    else if (isUnspent(ticket, at)) expect(answer).toStrictEqual({ code: 'revoked' });
    else if (holder === undefined || ended) expect(answer).toStrictEqual({ code: 'ended' });
    else expect(answer).toStrictEqual({ code: 'closing', gatewayId: record.gatewayId });
  });
}

function renew(index: number, own: boolean): Command {
  return onTicket(`renew ${own ? 'own' : 'foreign'}`, index, async (ticket, stage) => {
    const subject = own ? ticket.subject : 'mallory';
    const { answer, at } = await stage.ask((store) => store.renew({ id: ticket.id, subject, maxSessionMs: LONG_MS }));
    const { holder, ended, record } = ticket;
    const open = holder !== undefined && !ended && record.state !== 'revoked';
    const renewed = { code: 'renewed', sessionExpiresAt: at + LONG_MS, gatewayId: record.gatewayId };
    if (!own) expect(answer).toStrictEqual({ code: 'unknown' });
    else expect(answer).toStrictEqual(open ? renewed : { code: 'not_open' });
  });
}

function lease(index: number, attemptId: string): Command {
  return onTicket(`lease ${attemptId}`, index, async (ticket, stage) => {
    const { id, subject, record, holder, ended } = ticket;
    const moments = { openedAt: record.issuedAt, sessionExpiresAt: record.issuedAt + LONG_MS };
    const request = { id, attemptId, gatewayId: 'leasing', subject, ...moments };
    const { answer, at } = await stage.ask((store) => store.lease(request));
    const lost = ticket.decided === undefined && record.state !== 'revoked';
    const open = holder === attemptId && !ended && record.state !== 'revoked';
    expect(answer.code).toBe(lost ? 'restored' : open ? 'held' : 'ended');
    if (lost) {
      ticket.holder = attemptId;
      ticket.decided = { attemptId, answer: 'admitted' };
    }
    if (lost || open) ticket.heldUntil = at + stage.leaseMs;
  });
}

/** Lets time pass: 1 ms, until short tickets have expired, or until all leases have lapsed. */
function pass(kind: 'a ms' | 'a short ticket' | 'a lease'): Command {
  return {
    check: () => true,
    async run(history, stage) {
      const lapseMs = stage.leaseMs <= MAX_LAPSE_MS ? stage.leaseMs : 1;
      await stage.pass({ 'a ms': 1, 'a short ticket': SHORT_MS, 'a lease': lapseMs }[kind]);
      for (const subject of COLLIDING) await look(history, stage, subject);
    },
    toString: () => `${kind} passes`,
  };
}

const index = fc.oneof(fc.constant(0), fc.nat(2), fc.nat(40));
const attemptId = fc.constantFrom('attempt-1', 'attempt-2');
const subject = fc.constantFrom(...COLLIDING);
/** Mostly the value that fits, as a ticket that is refused early tests nothing else. */
const mostly = <T>(fits: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(fits) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const bindings: fc.Arbitrary<Bindings> = fc.record({
  audience: mostly<string | undefined>('chat', undefined),
  path: fc.constantFrom(undefined, '/room'),
  origin: fc.constantFrom(undefined, 'https://app.example'),
  address: mostly<string | undefined>('192.0.2.1', undefined),
});

const presented: fc.Arbitrary<Presented> = fc.record({
  attemptId,
  gatewayId: fc.constantFrom('gateway-1', 'gateway-2'),
  rightSecret: mostly(true, false),
  audience: mostly<string | undefined>('chat', undefined, 'other'),
  path: fc.constantFrom('/room', '/room', '/room', '/'),
  origin: fc.constantFrom('https://app.example', 'https://app.example', 'https://evil.example', undefined),
  address: mostly<string | undefined>('192.0.2.1', undefined, '203.0.113.9'),
  bindAddress: fc.boolean(),
  maxConnections: fc.constantFrom(0, 1, 2, 2, 3),
  limitPolicy: fc.constantFrom('refuse', 'replace'),
});

/**
 * Any sequence of commands. Those that open connections are more likely.
 *
 * @param answers collects every answer of consume
 */
export function commands(maxCommands: number, answers: Answers): fc.Arbitrary<Iterable<Command>> {
  const issues = fc.tuple(subject, bindings, fc.constantFrom(LONG_MS, SHORT_MS)).map((args) => issue(...args));
  const consumes = fc.tuple(index, presented).map((args) => consume(...args, answers));
  const connects = fc.tuple(subject, presented).map((args) => connect(...args, answers));
  const refuses = fc.tuple(index, attemptId).map((args) => refuse(...args));
  const passes = fc.constantFrom('a ms', 'a short ticket', 'a lease').map((kind) => pass(kind));
  return fc.commands(
    [
      ...[issues, issues, issues, consumes, consumes, consumes, consumes, consumes],
      ...[connects, connects, connects, connects],
      fc.tuple(index, mostly(true, false)).map((args) => note(...args)),
      fc.tuple(index, attemptId).map((args) => close(...args)),
      ...[refuses, refuses],
      fc.tuple(index, fc.constantFrom('own', 'foreign', 'any')).map((args) => revoke(...args)),
      fc.tuple(index, mostly(true, false)).map((args) => renew(...args)),
      fc.tuple(index, attemptId).map((args) => lease(...args)),
      ...[passes, passes],
    ],
    { maxCommands, size: 'max' },
  );
}
