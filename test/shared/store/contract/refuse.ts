import { describe, expect, test } from 'vitest';
import { closeOf, consumeOf, issued, type Opened, opened } from '../requests.ts';
import type { Harness } from './harness.ts';

const refuseOf = ({ id, attemptId }: Opened) => ({ id, attemptId, outcome: 'upstream_refused', status: 403 }) as const;

/** An admission that never became a connection is taken back. */
export function refuseContract(harness: () => Harness): void {
  describe('refuse', () => {
    test('takes the admission back, and records the refusal with the status that the client got', async () => {
      const store = await harness().createStore();
      const admitted = await opened(store);

      expect(await store.refuse(refuseOf(admitted))).toStrictEqual({ code: 'refused' });
      const record = await store.read(admitted.id);
      expect(record).toMatchObject({
        state: 'refused',
        attempts: 1,
        lastAttempt: { outcome: 'upstream_refused', status: 403, gatewayId: admitted.gatewayId },
      });
      expect(record).not.toHaveProperty('openedAt');
      expect(record).not.toHaveProperty('closedAt');
    });

    test('frees the slot of the subject', async () => {
      const store = await harness().createStore();
      const admitted = await opened(store);
      await store.refuse(refuseOf(admitted));
      const next = await issued(store);

      expect(await store.consume(consumeOf(next, { maxConnections: 1 }))).toMatchObject({ code: 'admitted' });
    });

    test('leaves the ticket spent', async () => {
      const store = await harness().createStore();
      const admitted = await opened(store);
      await store.refuse(refuseOf(admitted));

      expect(await store.consume(consumeOf(admitted))).toMatchObject({ code: 'ticket_consumed' });
    });

    test('happens once', async () => {
      const store = await harness().createStore();
      const admitted = await opened(store);
      await store.refuse(refuseOf(admitted));
      const before = await harness().snapshot(store, admitted.id);

      expect(await store.refuse({ ...refuseOf(admitted), status: 502 })).toStrictEqual({ code: 'not_held' });
      expect(await harness().snapshot(store, admitted.id)).toStrictEqual(before);
    });

    test('does nothing for another attempt, or after the connection has ended', async () => {
      const store = await harness().createStore();
      const admitted = await opened(store);

      expect(await store.refuse({ ...refuseOf(admitted), attemptId: 'another' })).toStrictEqual({ code: 'not_held' });
      expect(await store.read(admitted.id)).toMatchObject({ state: 'open' });
      await store.close(closeOf(admitted));
      expect(await store.refuse(refuseOf(admitted))).toStrictEqual({ code: 'not_held' });
      expect(await store.read(admitted.id)).toMatchObject({ state: 'closed' });
    });

    test('leaves a ticket revoked that was revoked meanwhile', async () => {
      const store = await harness().createStore();
      const admitted = await opened(store);
      await store.revoke({ id: admitted.id });
      await store.refuse(refuseOf(admitted));

      expect(await store.read(admitted.id)).toMatchObject({
        state: 'revoked',
        lastAttempt: { outcome: 'upstream_refused' },
      });
    });
  });
}
