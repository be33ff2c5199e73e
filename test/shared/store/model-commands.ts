import fc from 'fast-check';
import { expect } from 'vitest';
import type { TicketRecord, TicketStore } from '../../../shared/store/store.ts';
import { type Bindings, isUnspent, type Model, type ModelTicket, type Presented, visibleState } from './model.ts';
import { mint, WRONG_SECRET } from './requests.ts';

/** A store, and the ways in which time passes for it. */
export interface Real {
  readonly store: TicketStore;
  /** What is put behind every subject, so that runs do not meet. */
  readonly run: string;
  /** Lets a few ms pass. */
  advance(ms: number): Promise<void>;
  /** Makes the leases of these subjects' connections lapse; those of others may lapse too. */
  lapse(subjects: readonly string[]): Promise<void>;
  now(): Promise<number>;
  /** Answers of consume that occurred. */
  readonly seen: Set<string>;
}

type Command = fc.AsyncCommand<Model, Real>;

const SHORT_MS = 5;
const LONG_MS = 1_000_000_000;
const MAX_PENDING = 4;
const SUBJECTS = ['ada', 'eve'] as const;

/** A command about the ticket that is so many before the newest: all of its subject are compared afterwards. */
function onTicket(
  text: string,
  index: number,
  run: (ticket: ModelTicket, model: Model, real: Real) => Promise<void>,
): Command {
  return {
    check: (model) => model.tickets.length > 0,
    async run(model, real) {
      const ticket = model.tickets.toReversed()[index % model.tickets.length];
      if (ticket === undefined) throw new Error('there is no ticket');
      await run(ticket, model, real);
      await compare(model, real, ticket.subject);
    },
    toString: () => `#${index}: ${text}`,
  };
}

async function compare(model: Model, { store }: Real, subject: string): Promise<void> {
  const tickets = model.of(subject);
  const records = await Promise.all(tickets.map(({ id }) => store.read(id)));
  expect(records.map(seenOf)).toStrictEqual(tickets.map(expectedOf));
  // A revoked connection whose gateway has died may stay in the list until somebody needs its place.
  const doubtful = new Set(tickets.filter(({ state, counted }) => state === 'revoked' && !counted).map(({ id }) => id));
  const listed = (await store.list(subject)).map(({ id }) => id).filter((id) => !doubtful.has(id));
  expect(listed).toStrictEqual(
    tickets
      .filter((ticket) => isUnspent(ticket) || ticket.counted)
      .map(({ id }) => id)
      .reverse(),
  );
}

function expectedOf(ticket: ModelTicket): Record<string, unknown> {
  const lapsed = ticket.state === 'open' && !ticket.counted;
  return {
    state: visibleState(ticket),
    attempts: ticket.attempts,
    outcome: ticket.lastOutcome,
    gatewayId: ticket.gatewayId,
    opened: ticket.openedIn !== undefined,
    closed: ticket.over,
    closeReason: ticket.closeReason,
    closeCode: lapsed ? 1006 : closeCodeOf(ticket),
  };
}

function closeCodeOf({ state, closeReason }: ModelTicket): number | undefined {
  if (state === 'closed') return 1000;
  return closeReason === undefined ? undefined : 3003;
}

function seenOf(record: TicketRecord | null): Record<string, unknown> {
  return {
    state: record?.state,
    attempts: record?.attempts,
    outcome: record?.lastAttempt?.outcome,
    gatewayId: record?.gatewayId,
    opened: record?.openedAt !== undefined,
    closed: record?.closedAt !== undefined,
    closeReason: record?.closeReason,
    closeCode: record?.closeCode,
  };
}

function issue(subject: string, bindings: Bindings, late: boolean): Command {
  return {
    check: () => true,
    async run(model, real) {
      const ticket = mint(subject + real.run);
      const expected = model.issue({ ...ticket, ...bindings, late }, MAX_PENDING);
      const outcome = await real.store.issue({
        ...ticket,
        ...bindings,
        ttlMs: late ? SHORT_MS : LONG_MS,
        maxSessionMs: LONG_MS,
        maxPending: MAX_PENDING,
      });
      expect(outcome.code).toBe(expected);
      // Late from now on, and issued in another millisecond than the next one.
      await real.advance(late ? SHORT_MS + 1 : 1);
      await compare(model, real, ticket.subject);
    },
    toString: () => `issue${late ? ' late' : ''} to ${subject} ${JSON.stringify(bindings)}`,
  };
}

function consume(index: number, presented: Presented): Command {
  return onTicket(`consume ${JSON.stringify(presented)}`, index, async (ticket, model, real) => {
    const { rightSecret, ...request } = presented;
    const expected = model.consume(ticket, presented);
    const outcome = await real.store.consume({
      ...request,
      id: ticket.id,
      secretSha256: rightSecret ? ticket.secretSha256 : WRONG_SECRET,
    });
    real.seen.add(outcome.code);
    expect({
      code: outcome.code,
      ...(outcome.code === 'admitted' && { replaced: outcome.replaced }),
    }).toStrictEqual(expected);
    expect(outcome.code === 'ticket_unknown' ? ticket.subject : outcome.subject).toBe(ticket.subject);
    await real.advance(1); // the next one is opened in another millisecond
  });
}

/** A ticket without bindings, presented at once: the way to many open connections. */
function connect(subject: string, presented: Presented): Command {
  const unbound = { audience: presented.audience, path: undefined, origin: undefined, address: presented.address };
  const issued = issue(subject, unbound, false);
  return {
    check: () => true,
    async run(model, real) {
      const before = model.tickets.length;
      await issued.run(model, real);
      if (model.tickets.length > before) await consume(0, presented).run(model, real);
    },
    toString: () => `connect ${subject} ${JSON.stringify(presented)}`,
  };
}

function note(index: number, rightSecret: boolean): Command {
  return onTicket(`note ${rightSecret ? '' : 'with a wrong secret'}`, index, async (ticket, model, { store }) => {
    const outcome = await store.note({
      id: ticket.id,
      secretSha256: rightSecret ? ticket.secretSha256 : WRONG_SECRET,
      gatewayId: 'noting',
      outcome: 'draining',
    });
    expect(outcome.code).toBe(model.note(ticket, rightSecret, 'draining'));
  });
}

function close(index: number, attemptId: string): Command {
  return onTicket(`close ${attemptId}`, index, async (ticket, model, { store }) => {
    const request = { id: ticket.id, attemptId, closeCode: 1000, closeReason: 'bye' };
    expect((await store.close(request)).code).toBe(model.close(ticket, attemptId, 'bye'));
  });
}

function refuse(index: number, attemptId: string): Command {
  return onTicket(`refuse ${attemptId}`, index, async (ticket, model, { store }) => {
    const request = { id: ticket.id, attemptId, outcome: 'upstream_refused', status: 409 } as const;
    const { code } = await store.refuse(request);
    expect(code).toBe(model.refuse(ticket, attemptId, request.outcome));
    if (code === 'refused') expect((await store.read(ticket.id))?.lastAttempt?.status).toBe(request.status);
  });
}

function revoke(index: number, whose: 'own' | 'foreign' | 'any'): Command {
  return onTicket(`revoke ${whose}`, index, async (ticket, model, { store }) => {
    const subject = { own: ticket.subject, foreign: 'mallory', any: undefined }[whose];
    const outcome = await store.revoke({ id: ticket.id, subject });
    expect(outcome.code).toBe(model.revoke(ticket, subject));
    if (outcome.code === 'closing') expect(outcome.gatewayId).toBe(ticket.gatewayId);
  });
}

function renew(index: number, own: boolean): Command {
  return onTicket(`renew ${own ? 'own' : 'foreign'}`, index, async (ticket, model, { store }) => {
    const subject = own ? ticket.subject : 'mallory';
    const outcome = await store.renew({ id: ticket.id, subject, maxSessionMs: LONG_MS });
    expect(outcome.code).toBe(model.renew(ticket, subject));
    if (outcome.code === 'renewed') expect(outcome.gatewayId).toBe(ticket.gatewayId);
  });
}

function lease(index: number, attemptId: string): Command {
  return onTicket(`lease ${attemptId}`, index, async (ticket, model, real) => {
    if (ticket.state === 'issued' && ticket.late) return; // nothing is promised about this one
    const openedAt = await real.now();
    const outcome = await real.store.lease({
      id: ticket.id,
      attemptId,
      gatewayId: 'leasing',
      subject: ticket.subject,
      openedAt,
      sessionExpiresAt: openedAt + LONG_MS,
    });
    const own = ticket.spentBy?.attemptId === attemptId;
    expect(outcome.code).toBe(model.lease(ticket, attemptId, 'leasing'));
    if (outcome.code === 'ended' && own && ticket.state === 'revoked') expect(outcome.reason).toBe(ticket.closeReason);
    await real.advance(1);
  });
}

function lapse(): Command {
  return {
    check: () => true,
    async run(model, real) {
      const subjects = SUBJECTS.map((subject) => subject + real.run);
      await real.lapse(subjects);
      model.lapse();
      for (const subject of subjects) await compare(model, real, subject);
    },
    toString: () => 'all leases lapse',
  };
}

const index = fc.oneof(fc.nat(2), fc.nat(40));
const attemptId = fc.constantFrom('attempt-1', 'attempt-2', 'attempt-3');
/** Mostly what fits: a ticket that is refused early reaches nothing else. */
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
  path: mostly('/room', '/'),
  origin: mostly<string | undefined>('https://app.example', undefined, 'https://evil.example'),
  address: mostly<string | undefined>('192.0.2.1', undefined, '203.0.113.9'),
  bindAddress: fc.boolean(),
  maxConnections: fc.constantFrom(0, 1, 2, 2, 3),
  limitPolicy: fc.constantFrom('refuse', 'replace'),
});

const issues = fc.tuple(fc.constantFrom(...SUBJECTS), bindings, mostly(false, true)).map((args) => issue(...args));
const consumes = fc.tuple(index, presented).map((args) => consume(...args));
const connects = fc.tuple(fc.constantFrom(...SUBJECTS), presented).map((args) => connect(...args));

/** Any sequence of them; those that open connections are the more likely ones. */
export function commands(maxCommands: number): fc.Arbitrary<Iterable<Command>> {
  return fc.commands(
    [
      ...[issues, issues, issues, consumes, consumes, consumes, consumes, consumes],
      ...[connects, connects, connects, connects],
      fc.tuple(index, mostly(true, false)).map((args) => note(...args)),
      fc.tuple(index, attemptId).map((args) => close(...args)),
      fc.tuple(index, attemptId).map((args) => refuse(...args)),
      fc.tuple(index, fc.constantFrom('own', 'foreign', 'any')).map((args) => revoke(...args)),
      fc.tuple(index, mostly(true, false)).map((args) => renew(...args)),
      fc.tuple(index, attemptId).map((args) => lease(...args)),
      fc.constant(lapse()),
    ],
    { maxCommands, size: 'max' },
  );
}
