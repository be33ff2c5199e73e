import { describe, expect, test } from 'vitest';
import type { TicketStore } from '../../../../shared/store/store.ts';
import { COLLIDING, closeOf, consumeOf, issued, issueOf, noteOf, opened } from '../requests.ts';
import { type Harness, inTime } from './harness.ts';

const CONTENT = { path: '/room', claims: '{"room":7}', clientClaims: '{"nick":"a"}' };

export function historyContract(harness: () => Harness): void {
  /** A ticket that was revoked unspent, each at a later ms. */
  async function revoked(store: TicketStore, subject = 'ada'): Promise<string> {
    const { id } = await issued(store, {}, subject);
    await store.revoke({ id });
    await harness().advance(1);
    return id;
  }
  async function kept(store: TicketStore, ids: readonly string[]): Promise<boolean[]> {
    return Promise.all(ids.map(async (id) => (await store.read(id)) !== null));
  }

  describe('the records of tickets that have ended', () => {
    test('are bounded for each subject: the next ticket has the oldest deleted', async () => {
      const store = await harness().createStore({ historyPerSubject: 2 });
      const ids = [await revoked(store), await revoked(store), await revoked(store)];
      await issued(store);

      expect(await kept(store, ids)).toStrictEqual([false, true, true]);
    });

    test('count however they ended', async () => {
      const store = await harness().createStore({ historyPerSubject: 0 });
      const refused = await issued(store, { path: '/a' });
      await store.consume(consumeOf(refused, { path: '/b' }));
      const closed = await opened(store);
      await store.close(closeOf(closed));
      const takenBack = await opened(store);
      await store.refuse({ ...takenBack, outcome: 'upstream_refused', status: 409 });
      const late = await issued(store, { ttlMs: 20 });
      await harness().advance(21);
      await store.consume(consumeOf(late));
      const unseen = await issued(store, { ttlMs: 20 });
      await harness().advance(21);
      await issued(store);

      const ids = [refused, closed, takenBack, late, unseen].map(({ id }) => id);
      expect(await kept(store, ids)).toStrictEqual([false, false, false, false, false]);
    });

    test('are deleted no matter how many there are', async () => {
      const store = await harness().createStore({ historyPerSubject: 3 });
      const ids: string[] = [];
      for (let count = 0; count < 40; count += 1) ids.push(await revoked(store));
      await issued(store);

      expect((await kept(store, ids)).filter((known) => known)).toHaveLength(3);
    });

    test('are never those of an unspent ticket or an open connection', async () => {
      const store = await harness().createStore({ historyPerSubject: 0 });
      const unspent = await issued(store);
      const open = await opened(store);
      const told = await opened(store);
      await store.revoke({ id: told.id });
      await store.note(noteOf(unspent));
      await issued(store);

      expect(await kept(store, [unspent.id, open.id, told.id])).toStrictEqual([true, true, true]);
      expect(await store.lease(open)).toMatchObject({ code: 'held' });
      expect(await store.consume(consumeOf(unspent))).toMatchObject({ code: 'admitted' });
    });

    test('are not those of a connection that a lease restored', () =>
      inTime(harness, async (harness) => {
        const store = await harness().createStore({ historyPerSubject: 0 });
        const ticket = await issued(store, { ttlMs: 20 });
        await harness().advance(21);
        await issued(store, {}, 'eve');
        const now = await harness().now();
        const held = { ...ticket, attemptId: 'a', gatewayId: 'g', openedAt: now, sessionExpiresAt: now + 60_000 };
        await store.lease(held);
        await issued(store);

        expect(await store.read(ticket.id)).toMatchObject({ state: 'open' });
      }));

    test('of another subject stay, even with the same digest', async () => {
      const store = await harness().createStore({ historyPerSubject: 1 });
      const [one, other] = COLLIDING;
      const foreign = await revoked(store, other);
      const own = [await revoked(store, one), await revoked(store, one)];
      await issued(store, {}, one);

      expect(await kept(store, [foreign, ...own])).toStrictEqual([true, false, true]);
    });

    test('are deleted without a chance to open: the ticket is unknown then', async () => {
      const store = await harness().createStore({ historyPerSubject: 0 });
      const spent = await opened(store);
      await store.close(closeOf(spent));
      await issued(store);

      expect(await store.consume(consumeOf(spent))).toStrictEqual({ code: 'ticket_unknown' });
    });

    test('are not deleted for a ticket that is not issued', async () => {
      const store = await harness().createStore({ historyPerSubject: 0 });
      const open = await opened(store);
      const id = await revoked(store);
      expect(await store.issue(issueOf(open))).toMatchObject({ code: 'id_taken' });

      expect(await kept(store, [id])).toStrictEqual([true]);
    });
  });

  describe('a record that can never open', () => {
    test.each<[string, (store: TicketStore) => Promise<string>]>([
      [
        'revoked unspent',
        async (store) => {
          const { id } = await issued(store, CONTENT);
          await store.revoke({ id });
          return id;
        },
      ],
      [
        'refused at consume',
        async (store) => {
          const ticket = await issued(store, CONTENT);
          await store.consume(consumeOf(ticket, { path: '/another' }));
          return ticket.id;
        },
      ],
      [
        'refused after consume',
        async (store) => {
          const connection = await opened(store, { path: '/room' }, 'ada', CONTENT);
          await store.refuse({ ...connection, outcome: 'upstream_refused', status: 409 });
          return connection.id;
        },
      ],
      [
        'expired before consume',
        async (store) => {
          const ticket = await issued(store, { ...CONTENT, ttlMs: 20 });
          await harness().advance(21);
          await store.consume(consumeOf(ticket, { path: '/room' }));
          return ticket.id;
        },
      ],
    ])('keeps neither claims nor path: %s', async (_, end) => {
      const store = await harness().createStore();
      const record = await store.read(await end(store));

      expect(record).toMatchObject({ subject: 'ada' });
      expect(record).not.toHaveProperty('claims');
      expect(record).not.toHaveProperty('path');
      expect(JSON.stringify(await harness().snapshot(store, record?.id ?? ''))).not.toContain('nick');
    });
  });
}
