import { expect, test } from 'vitest';
import { createMetrics } from '../../../shared/metrics.ts';
import { MeasuredStore } from '../../../shared/store/measured-store.ts';
import { MemoryStore } from '../../../shared/store/memory/memory-store.ts';
import { StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import { describeStore } from './contract/contract.ts';
import { DEFAULTS } from './contract/harness.ts';
import { createMemoryHarness } from './memory/memory-harness.ts';
import { closeOf, consumeOf, issued, issueOf, mint, noteOf, opened } from './requests.ts';

describeStore('a measured store', async () => {
  const harness = createMemoryHarness();
  const createStore = async (options?: Parameters<typeof harness.createStore>[0]) =>
    new MeasuredStore(await harness.createStore(options), createMetrics(['gateway']));
  return { ...harness, createStore };
});

const REASON = new StoreUnavailable('it is away');
const ticket = mint();
const connection = { ...ticket, attemptId: 'attempt', gatewayId: 'gateway-1', openedAt: 1, sessionExpiresAt: 2 };
const gateway = { gatewayId: 'gateway-1', startedAt: 1, version: '1', connections: 0, draining: false };

/** Every operation that can fail, with its label. */
const operations: ReadonlyArray<readonly [label: string, ask: (store: TicketStore) => Promise<unknown>]> = [
  ['issue', (store) => store.issue(issueOf(ticket))],
  ['consume', (store) => store.consume(consumeOf(ticket))],
  ['note', (store) => store.note(noteOf(ticket))],
  ['refuse', (store) => store.refuse({ ...connection, outcome: 'upstream_timeout', status: 504 })],
  ['close', (store) => store.close(closeOf(connection))],
  ['revoke', (store) => store.revoke(ticket)],
  ['renew', (store) => store.renew({ ...ticket, maxSessionMs: 1 })],
  ['lease', (store) => store.lease(connection)],
  ['read', (store) => store.read(ticket.id)],
  ['list', (store) => store.list(ticket.subject)],
  ['count', (store) => store.count({ kind: 'kind', key: 'key', windowMs: 1, add: 1 })],
  ['announce', (store) => store.announce(gateway)],
  ['announce', (store) => store.withdraw('gateway-1')],
  ['control', (store) => store.command('gateway-1', { command: 'close', ticket_id: ticket.id, reason: 'revoked' })],
];

test.each(operations)('counts a failed operation as %s, and throws its error', async (label, ask) => {
  const metrics = createMetrics(['gateway']);
  await expect(ask(new MeasuredStore(failingStore(), metrics))).rejects.toBe(REASON);

  const errors = await errorsOf(metrics);
  expect(errors.get(label)).toBe(1);
  expect([...errors.values()].filter((count) => count !== 0)).toHaveLength(1);
});

test('has a label for each operation, and each of them starts at zero', async () => {
  const errors = await errorsOf(createMetrics(['ticket']));
  expect(new Set(errors.keys())).toStrictEqual(new Set(operations.map(([label]) => label)));
  expect([...errors.values()].every((count) => count === 0)).toBe(true);
});

test('counts no error if the store answered', async () => {
  const metrics = createMetrics(['gateway']);
  const store = new MeasuredStore(new MemoryStore(DEFAULTS), metrics);
  for (const [, ask] of operations) await ask(store);
  expect([...(await errorsOf(metrics)).values()].every((count) => count === 0)).toBe(true);
});

test('measures how long each answered consume took, whatever the answer', async () => {
  const metrics = createMetrics(['gateway']);
  const store = new MeasuredStore(new MemoryStore(DEFAULTS), metrics);
  await opened(store);
  await store.consume(consumeOf(mint()));
  await new MeasuredStore(failingStore(), metrics).consume(consumeOf(await issued(store))).catch(() => {});

  const durations = await metrics.registry.getSingleMetric('oncegate_consume_duration_seconds')?.get();
  const counts = durations?.values.filter(
    (value) => 'metricName' in value && String(value.metricName).endsWith('_count'),
  );
  expect(counts?.map(({ value }) => value)).toStrictEqual([2]);
});

test('is ready if the store behind it is', () => {
  const inner = new MemoryStore(DEFAULTS);
  expect(new MeasuredStore(inner, createMetrics(['gateway'])).ready).toBe(inner.ready);
});

/** A store of which every operation fails. */
function failingStore(): TicketStore {
  const fail = () => Promise.reject(REASON);
  return new Proxy(new MemoryStore(DEFAULTS), { get: () => fail });
}

async function errorsOf(metrics: ReturnType<typeof createMetrics>): Promise<Map<string, number>> {
  const metric = await metrics.registry.getSingleMetric('oncegate_store_errors_total')?.get();
  return new Map(metric?.values.map(({ labels, value }) => [String(labels.operation), value]));
}
