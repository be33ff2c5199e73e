import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Connections } from '../../../../services/gateway/connections/connections.ts';
import { createMetrics } from '../../../../shared/metrics.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';

const HEARTBEAT_MS = 1_000;
const TICK_MS = HEARTBEAT_MS / 4;

test('a client is not judged by the time for which the process itself was blocked', () => {
  let clock = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.restoreAllMocks());
  const run = (ms: number): void => {
    for (const end = clock + ms; clock < end; ) {
      clock += TICK_MS;
      vi.advanceTimersByTime(TICK_MS);
    }
  };
  const connections = new Connections({
    gatewayId: 'gateway-1',
    store: new MemoryStore({ retentionMs: 1_000, leaseMs: 60_000 }),
    log: pino({ level: 'silent' }),
    metrics: createMetrics(['gateway']),
    heartbeatMs: HEARTBEAT_MS,
    leaseMs: 60_000,
  });
  onTestFinished(() => connections.stop());
  const closed: string[] = [];
  const wire = {
    ping: (written: () => void) => written(),
    close: (_code: number, reason: string) => void closed.push(reason),
    terminate() {},
    stalled: false,
    sent: { taken: 0, left: 0 },
  };
  const sessionExpiresAt = Number.MAX_SAFE_INTEGER;
  const connection = connections.open({
    ...{ id: 'id', attemptId: '1', subject: 'ada' },
    openedAt: 0,
    sessionExpiresAt,
    wire,
  });
  run(HEARTBEAT_MS + TICK_MS);

  // Nothing runs for a minute. Then a tick comes, and the client's answer is read behind it.
  clock += 60_000;
  run(TICK_MS);
  expect(closed).toEqual([]);
  connection.heard(clock);
  run(HEARTBEAT_MS);
  expect(closed).toEqual([]);

  // Ticks that are late all the time judge all the same.
  for (let ticks = 0; ticks < 4; ticks += 1) {
    clock += HEARTBEAT_MS;
    run(TICK_MS);
  }
  expect(closed).toEqual(['heartbeat_missed']);
});
