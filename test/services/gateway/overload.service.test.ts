import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { problemOf } from '../../support/http/http-answer.ts';
import { until } from '../../support/machine/wait.ts';
import { startRedis } from '../../support/redis/redis.ts';
import { issueTicket, startFleet } from '../../support/services/services.ts';
import { openRaw } from '../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../support/sockets/upgrade-request.ts';

/** Upgrades that wait in the kernel while the gateway does nothing, and as many that come later. */
const COUNT = 100;
const STALL_MS = 3_000;

interface Answered {
  readonly ms: number;
  /** Seconds to wait; undefined if the upgrade was admitted. */
  readonly retryAfter: number | undefined;
}

async function stallAt(redisUrl: string, overloadDelayMs: number): Promise<Answered[]> {
  const { ticket, gateways } = await startFleet({ redisUrl, env: { OVERLOAD_DELAY_MS: String(overloadDelayMs) } });
  const [gateway] = gateways;
  if (gateway === undefined) throw new Error('no gateway');
  // The ticket service has the same bound, and a busy machine may be over it for a moment.
  const issue = (_: unknown, n: number) => until(() => issueTicket(ticket, `user-${n}`), { what: 'a ticket' });
  const tickets = await Promise.all(Array.from({ length: 2 * COUNT }, issue));
  const upgrade = async (value: string): Promise<Answered> => {
    const begun = performance.now();
    const client = await openRaw(gateway.port);
    client.send(upgradeRequest({ target: `/?ticket=${value}` }));
    const outcome = await client.outcome;
    const ms = performance.now() - begun;
    if (outcome.kind === 'open') return { ms, retryAfter: undefined };
    if (outcome.kind === 'reset' || outcome.answers[0] === undefined) throw new Error(outcome.kind);
    expect(problemOf(outcome.answers[0])).toMatchObject({ status: 503, code: 'overloaded' });
    return { ms, retryAfter: Number(outcome.answers[0].header('retry-after')) };
  };

  gateway.signal('SIGSTOP');
  const waiting = tickets.slice(0, COUNT).map(({ ticket: value }) => upgrade(value));
  await pause(STALL_MS);
  gateway.signal('SIGCONT');
  const answered = await Promise.all(waiting);
  for (const { ticket: value } of tickets.slice(COUNT)) answered.push(await upgrade(value));
  return answered;
}

const p99 = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
const admittedOf = (answered: readonly Answered[]) =>
  answered.filter(({ retryAfter }) => retryAfter === undefined).map(({ ms }) => ms);

test('an overloaded gateway refuses what has waited for long, and admits the others in a fraction of the time', async () => {
  const redis = await startRedis();
  const unbounded = await stallAt(redis.url, 0);
  const bounded = await stallAt(redis.url, 1_000);
  const waits = bounded.flatMap(({ retryAfter }) => retryAfter ?? []);

  expect(admittedOf(unbounded)).toHaveLength(2 * COUNT);
  expect(waits.length).toBeGreaterThanOrEqual(COUNT / 2);
  expect(admittedOf(bounded).length).toBeGreaterThan(0);
  expect(p99(admittedOf(bounded))).toBeLessThan(p99(admittedOf(unbounded)) / 2);
  // Those that came together come back at different times.
  expect(new Set(waits).size).toBeGreaterThan(3);
  expect([Math.min(...waits) >= 5, Math.max(...waits) <= 15]).toEqual([true, true]);
});
