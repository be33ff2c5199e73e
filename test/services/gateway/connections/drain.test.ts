import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Connection } from '../../../../services/gateway/connections/connection.ts';
import { Connections } from '../../../../services/gateway/connections/connections.ts';
import { drainConnections } from '../../../../services/gateway/connections/drain.ts';
import type { Wire } from '../../../../services/gateway/wires/wire.ts';
import { createMetrics } from '../../../../shared/metrics.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { until } from '../../../support/machine/wait.ts';

interface Told {
  readonly id: string;
  readonly code: number;
  readonly reason: string;
  readonly at: number;
}

function fleet() {
  const told: Told[] = [];
  const connections = new Connections({
    gatewayId: 'gateway-1',
    store: new MemoryStore({ retentionMs: 1_000, leaseMs: 60_000, historyPerSubject: 1_000 }),
    log: pino({ level: 'silent' }),
    metrics: createMetrics(['gateway']),
    heartbeatMs: 60_000,
    leaseMs: 60_000,
  });
  onTestFinished(() => connections.stop());

  /** Opens a connection whose client answers the Close frame, at once unless told otherwise. */
  function open(id: string, answer: (end: () => void) => void = (end) => end()): Connection {
    const wire: Wire = {
      ping() {},
      terminate() {},
      stalled: false,
      sent: { taken: 0, left: 0 },
      close(code, reason) {
        told.push({ id, code, reason, at: performance.now() });
        answer(() => connections.ended(connection, code, ''));
      },
    };
    const openedAt = Date.now();
    const sessionExpiresAt = openedAt + 60_000;
    const connection = connections.open({ id, attemptId: id, subject: 'ada', openedAt, sessionExpiresAt, wire });
    return connection;
  }
  return { connections, open, told };
}

const NOTHING_UNDECIDED = { admissible: 0 };

test('a drain of nothing is over at once', async () => {
  const { connections, told } = fleet();
  await drainConnections(connections, NOTHING_UNDECIDED, 3_600);

  expect(told).toEqual([]);
});

test('a drain closes each connection once, evenly over the spread', async () => {
  const { connections, open, told } = fleet();
  const ids = Array.from({ length: 30 }, (_, index) => `connection-${index}`);
  for (const id of ids) open(id);
  const start = performance.now();
  await drainConnections(connections, NOTHING_UNDECIDED, 1);

  expect(told.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(new Set(told.map(({ code, reason }) => `${code} ${reason}`))).toEqual(
    new Set(['1012 draining;spread_seconds=0;spread']),
  );
  expect(connections.size).toBe(0);
  const within = (ms: number): number => told.filter(({ at }) => at - start < ms).length;
  expect(within(50)).toBeLessThanOrEqual(10);
  expect(within(450)).toBeLessThanOrEqual(25);
  expect(Number(told.at(-1)?.at) - start).toBeGreaterThan(500);
});

test.each([
  [0.25, 8],
  [0.5, 15],
  [0.75, 23],
])('after %d of the spread that part of the connections is closed', async (part, closed) => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const { connections, open, told } = fleet();
  for (let index = 0; index < 30; index += 1) open(`connection-${index}`);
  const drained = drainConnections(connections, NOTHING_UNDECIDED, 1);
  vi.advanceTimersByTime(1_000 * part);
  await until(() => told.length > 0);

  expect(told).toHaveLength(closed);
  vi.advanceTimersByTime(1_000);
  await drained;
});

test('a drain without a spread closes everything at once', async () => {
  const { connections, open, told } = fleet();
  for (let index = 0; index < 30; index += 1) open(`connection-${index}`);
  const drained = drainConnections(connections, NOTHING_UNDECIDED, 0);

  expect(told).toHaveLength(30);
  expect(connections.size).toBe(0);
  await drained;
});

test('a drain is over when the last client has answered, and asks none twice', async () => {
  const { connections, open, told } = fleet();
  let answer = (): void => {};
  open('slow', (end) => {
    answer = end;
  });
  open('quick');
  let over = false;
  const drained = drainConnections(connections, NOTHING_UNDECIDED, 0).then(() => {
    over = true;
  });
  await until(() => connections.size === 1);
  const asked = told.length;
  const later = performance.now() + 250;
  await until(() => performance.now() > later);

  expect(over).toBe(false);
  expect(told).toHaveLength(asked);
  answer();
  await drained;
});

test('a drain closes also what was still being decided about when it began', async () => {
  const { connections, open, told } = fleet();
  const undecided = { admissible: 1 };
  const drained = drainConnections(connections, undecided, 0);
  expect(told).toEqual([]);
  open('late');
  undecided.admissible = 0;
  await drained;

  expect(told.map(({ id }) => id)).toEqual(['late']);
});
