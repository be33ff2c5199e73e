import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { Connections } from '../../../../services/gateway/connections/connections.ts';
import { createMetrics } from '../../../../shared/metrics.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import type { LeaseOutcome, LeaseRequest } from '../../../../shared/store/store.ts';
import { hashSecret } from '../../../../shared/ticket/ticket.ts';
import { until } from '../../../support/machine/wait.ts';
import { storeTicket } from '../../../support/services/in-process.ts';

const LEASE_MS = 150;

/** A store whose answers to leases take until they are let through. */
class SlowStore extends MemoryStore {
  readonly leases: LeaseRequest[] = [];
  readonly #answers: Array<() => void> = [];

  override async lease(request: LeaseRequest): Promise<LeaseOutcome> {
    const outcome = await super.lease(request);
    this.leases.push(request);
    await new Promise<void>((answer) => this.#answers.push(answer));
    return outcome;
  }

  answer(): void {
    for (const answer of this.#answers.splice(0)) answer();
  }
}

test('a renewal that comes while a lease is under way is not undone by the answer, which is older', async () => {
  const store = new SlowStore({ retentionMs: 1_000, leaseMs: LEASE_MS, historyPerSubject: 1_000 });
  const connections = new Connections({
    gatewayId: 'gateway-1',
    store,
    log: pino({ level: 'silent' }),
    metrics: createMetrics(['gateway']),
    heartbeatMs: 60_000,
    leaseMs: LEASE_MS,
  });
  onTestFinished(() => {
    connections.stop();
    store.answer();
  });
  const { id, secret, subject } = await storeTicket(store, { maxSessionMs: 60_000 });
  const attemptId = 'attempt';
  const admitted = await store.consume({
    ...{ id, attemptId, secretSha256: hashSecret(secret), gatewayId: 'gateway-1', path: '/' },
    ...{ bindAddress: false, maxConnections: 0, limitPolicy: 'refuse' },
  });
  if (admitted.code !== 'admitted') throw new Error(admitted.code);
  const { openedAt, sessionExpiresAt } = admitted;
  const wire = { ping() {}, close() {}, terminate() {}, stalled: false, sent: { taken: 0, left: 0 } };
  const connection = connections.open({ id, attemptId, subject, openedAt, sessionExpiresAt, wire });
  await until(() => store.leases.length === 1, { what: 'the lease is under way' });

  const renewed = await store.renew({ id, subject, maxSessionMs: 3_600_000 });
  if (renewed.code !== 'renewed') throw new Error(renewed.code);
  connections.renew(id, renewed.sessionExpiresAt);
  store.answer();
  await until(() => store.leases.length === 2, { what: 'the next lease is under way' });

  expect(connection.sessionExpiresAt).toBe(renewed.sessionExpiresAt);
  expect(store.leases.map((lease) => lease.sessionExpiresAt)).toEqual([sessionExpiresAt, renewed.sessionExpiresAt]);
});
