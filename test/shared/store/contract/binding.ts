import { describe, expect, test } from 'vitest';
import type { ConsumeRequest, IssueRequest, TicketStore } from '../../../../shared/store/store.ts';
import { closeOf, consumeOf, issued, type Minted, opened, WRONG_SECRET } from '../requests.ts';
import { type Harness, inTime } from './harness.ts';

/** The refusals of an unspent ticket, in the order of the contract, each with a request that provokes it. */
const objections = [
  { code: 'audience_refused', consume: { audience: 'other' } },
  { code: 'path_refused', consume: { path: '/other' } },
  { code: 'origin_refused', consume: { origin: 'https://other.example' } },
  { code: 'address_refused', consume: { address: '203.0.113.9', bindAddress: true } },
  { code: 'connection_limit', consume: { maxConnections: 1 } },
] as const satisfies ReadonlyArray<{ code: string; consume: Partial<ConsumeRequest> }>;

const bound: Partial<IssueRequest> = {
  audience: 'chat',
  path: '/room/7',
  origin: 'https://app.example',
  address: '192.0.2.1',
};
const fitting: Partial<ConsumeRequest> = {
  audience: 'chat',
  path: '/room/7',
  origin: 'https://app.example',
  address: '192.0.2.1',
};
const everything: Partial<ConsumeRequest> = Object.assign({}, ...objections.map(({ consume }) => consume));

export function bindingContract(harness: () => Harness): void {
  async function outcomeOf(issue: Partial<IssueRequest>, consume: Partial<ConsumeRequest>): Promise<string> {
    const store = await harness().createStore();
    const outcome = await store.consume(consumeOf(await issued(store, issue), consume));
    return outcome.code;
  }

  describe('a binding', () => {
    test('admits a request that meets all of them', async () => {
      expect(await outcomeOf(bound, { ...fitting, bindAddress: true })).toBe('admitted');
    });

    test('to an audience is ignored by a gateway without an audience', async () => {
      expect(await outcomeOf({ audience: 'chat' }, {})).toBe('admitted');
    });

    test('to no audience is refused by a gateway with an audience', async () => {
      expect(await outcomeOf({}, { audience: 'chat' })).toBe('audience_refused');
    });

    test('to no path fits every path', async () => {
      expect(await outcomeOf({}, { path: '/any/where' })).toBe('admitted');
    });

    test('to a path compares the path exactly', async () => {
      expect(await outcomeOf({ path: '/room' }, { path: '/room/' })).toBe('path_refused');
      expect(await outcomeOf({ path: '/room' }, { path: '/Room' })).toBe('path_refused');
    });

    test('to no origin fits every origin, and a request without one', async () => {
      expect(await outcomeOf({}, { origin: 'https://any.example' })).toBe('admitted');
      expect(await outcomeOf({}, {})).toBe('admitted');
    });

    test('to an origin refuses a request without one', async () => {
      expect(await outcomeOf({ origin: 'https://app.example' }, {})).toBe('origin_refused');
    });

    test('to an address is ignored unless it is on', async () => {
      expect(await outcomeOf({ address: '192.0.2.1' }, { address: '203.0.113.9' })).toBe('admitted');
    });

    test('to an address refuses if either address is unknown', async () => {
      expect(await outcomeOf({ address: '192.0.2.1' }, { bindAddress: true })).toBe('address_refused');
      expect(await outcomeOf({}, { bindAddress: true, address: '192.0.2.1' })).toBe('address_refused');
      expect(await outcomeOf({}, { bindAddress: true })).toBe('address_refused');
    });

    for (const { code, consume } of objections) {
      test(`that is not met spends the ticket: ${code}`, async () => {
        const store = await harness().createStore();
        if (code === 'connection_limit') await opened(store);
        const ticket = await issued(store, bound);

        expect(await store.consume(consumeOf(ticket, { ...fitting, ...consume }))).toStrictEqual({
          code,
          subject: 'ada',
        });
        expect(await store.read(ticket.id)).toMatchObject({
          state: 'refused',
          attempts: 1,
          lastAttempt: { outcome: code, status: code === 'connection_limit' ? 429 : 403 },
        });
        expect(await store.read(ticket.id)).not.toHaveProperty('openedAt');
        expect(await store.consume(consumeOf(ticket, fitting))).toMatchObject({ code: 'ticket_consumed' });
      });
    }
  });

  describe('the order of decisions', () => {
    /** The refusals of a spent ticket, in the order of the contract, each with a way to spend it. */
    const spent: Record<string, (store: TicketStore) => Promise<Minted>> = {
      ticket_revoked: async (store) => {
        const ticket = await issued(store, { ...bound, ttlMs: 200 });
        await store.revoke({ id: ticket.id });
        return ticket;
      },
      ticket_consumed: async (store) => {
        const connection = await opened(store, fitting, 'ada', { ...bound, ttlMs: 200 });
        await store.close(closeOf(connection));
        return connection;
      },
      ticket_expired: (store) => issued(store, { ...bound, ttlMs: 200 }),
    };

    for (const [code, reach] of Object.entries(spent)) {
      test(`puts ${code} before expiry and every binding`, () =>
        inTime(harness, async (harness) => {
          const store = await harness().createStore();
          await opened(store);
          const ticket = await reach(store);
          await harness().advance(201);

          expect(await store.consume(consumeOf(ticket, everything))).toStrictEqual({ code, subject: 'ada' });
        }));

      test(`puts a wrong secret before ${code}`, () =>
        inTime(harness, async (harness) => {
          const store = await harness().createStore();
          const ticket = await reach(store);
          await harness().advance(201);
          const presented = { ...everything, secretSha256: WRONG_SECRET };

          expect(await store.consume(consumeOf(ticket, presented))).toStrictEqual({ code: 'ticket_unknown' });
        }));
    }

    test('puts ticket_revoked before ticket_consumed when an open connection was revoked', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.revoke({ id: connection.id });

      expect(await store.consume(consumeOf(connection))).toStrictEqual({ code: 'ticket_revoked', subject: 'ada' });
      await store.close(closeOf(connection));
      expect(await store.consume(consumeOf(connection))).toStrictEqual({ code: 'ticket_revoked', subject: 'ada' });
    });

    test('is kept by every combination of refusals: the first is the answer', async () => {
      for (let set = 1; set < 2 ** objections.length; set += 1) {
        const raised = objections.filter((_, index) => set & (2 ** index));
        const store = await harness().createStore();
        await opened(store);
        const ticket = await issued(store, bound);
        const request = consumeOf(ticket, Object.assign({}, fitting, ...raised.map(({ consume }) => consume)));

        expect(await store.consume(request), raised.map(({ code }) => code).join(', ')).toStrictEqual({
          code: raised[0]?.code,
          subject: 'ada',
        });
      }
    });
  });
}
