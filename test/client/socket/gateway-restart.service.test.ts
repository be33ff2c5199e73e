import { describe, expect, test } from 'vitest';
import { ConnectRefused } from '../../../client/errors/connect-refused.ts';
import { ConnectionEnded } from '../../../client/errors/connection-ended.ts';
import { freePort } from '../../support/machine/free-port.ts';
import { isMissing } from '../../support/machine/programs.ts';
import { until } from '../../support/machine/wait.ts';
import { drawn, histogram } from '../../support/numbers/histogram.ts';
import { startRedis } from '../../support/redis/redis.ts';
import { faultsOfService, recordInRedis } from '../../support/services/fleet.ts';
import { type Fleet, metric, type ServiceProcess, startFleet, startService } from '../../support/services/services.ts';
import { allOpen, type Member, openCrowd } from './crowd.ts';

const CLIENTS = 500;
const DRAIN_SECONDS = 2;
const BUCKET_MS = 100;

/** The backoff's defaults (client/waiting/backoff.ts). */
const BASE_MS = 500;
const MAX_MS = 30_000;

interface Restart {
  readonly signal: NodeJS.Signals;
  readonly exitsWith: number | NodeJS.Signals;
  /** How every connection ends. */
  readonly ended: { readonly closeCode: number; readonly code: string; readonly spreadSeconds: number | undefined };
}

const restarts: readonly Restart[] = [
  {
    signal: 'SIGTERM',
    exitsWith: 0,
    ended: { closeCode: 1012, code: 'draining', spreadSeconds: undefined },
  },
  {
    signal: 'SIGKILL',
    exitsWith: 'SIGKILL',
    ended: { closeCode: 1006, code: 'closed', spreadSeconds: undefined },
  },
];

describe.skipIf(isMissing('redis'))(`a gateway with ${CLIENTS} clients that is restarted`, () => {
  test.each(restarts)('by $signal has all of them back, each with a new ticket', async (restart) => {
    const redis = await startRedis();
    const port = String(await freePort());
    const env = { GATEWAY_PORT: port, DRAIN_SECONDS: String(DRAIN_SECONDS) };
    const fleet = await startFleet({ redisUrl: redis.url, env });
    const first = gatewayOf(fleet);
    const crowd = await openCrowd(fleet, CLIENTS);
    expect(crowd.map(({ tickets }) => tickets.length)).toEqual(crowd.map(() => 1));

    first.signal(restart.signal);
    expect(await first.exited).toBe(restart.exitsWith);
    const second = await startService('gateway', { ...env, REDIS_URL: redis.url, GATEWAY_ID: 'gateway-2' });
    await until(async () => (await metric(second, 'oncegate_connections_open')) === CLIENTS, {
      everyMs: 50,
      what: 'all are back',
    });
    await allOpen(crowd);

    for (const { endings } of crowd) expect(endings).toEqual([]);
    for (const member of crowd) expectWaits(member, restart);

    const tickets = crowd.flatMap((member) => member.tickets);
    expect(new Set(tickets).size).toBe(tickets.length);
    const records = await Promise.all(tickets.map((id) => recordInRedis(redis, id)));
    expect(records.filter(({ attempts }) => Number(attempts) > 1)).toEqual([]);
    const held = await Promise.all(crowd.map(({ socket }) => recordInRedis(redis, String(socket.ticketId))));
    for (const record of held) expect(record).toMatchObject({ state: 'open', gateway: 'gateway-2', attempts: '1' });
    expect(await metric(second, 'oncegate_handshakes_total{outcome="admitted"}')).toBe(CLIENTS);
    for (const gateway of [first, second]) {
      expect(gateway.log.filter(({ event }) => event === 'replay')).toEqual([]);
      expect(faultsOfService(gateway)).toEqual([]);
    }
    expect(await metric(second, 'oncegate_replays_total')).toBe(0);

    // What the clients planned is judged; what a busy machine made of it is printed only.
    const planned = histogram(crowd.map(plannedReturn), BUCKET_MS);
    const actual = histogram(crowd.map(lastOpening), BUCKET_MS);
    console.log(
      [
        `${restart.signal}: when ${CLIENTS} clients planned to come back for the first time`,
        drawn(planned, BUCKET_MS),
        `${restart.signal}: when they were back`,
        drawn(actual, BUCKET_MS),
      ].join('\n'),
    );
    expectSpread(crowd.map(firstWait), windowMs(0, restart));
  });
});

function gatewayOf({ gateways: [gateway] }: Fleet): ServiceProcess {
  if (gateway === undefined) throw new Error('no gateway');
  return gateway;
}

const waitsOf = ({ changes }: Member) => changes.filter(({ change }) => change.state === 'waiting');

/** The longest random part of a wait, in milliseconds. */
function windowMs(index: number, { ended }: Pick<Restart, 'ended'>): number {
  const spreadMs = index === 0 ? (ended.spreadSeconds ?? 0) * 1000 : 0;
  return Math.max(spreadMs, Math.min(MAX_MS, BASE_MS * 2 ** (index + 1)));
}

/**
 * The waits fill their window: a quarter of the clients is expected in each quarter. Less than a tenth, or more than
 * 45 %, is eight standard deviations away.
 */
function expectSpread(waits: readonly number[], window: number): void {
  const quarters = [0, 1, 2, 3].map(
    (quarter) => waits.filter((ms) => Math.floor((ms / window) * 4) === quarter).length,
  );
  for (const count of quarters) {
    expect(count, `in the quarters: ${quarters}`).toBeGreaterThan(0.1 * CLIENTS);
    expect(count, `in the quarters: ${quarters}`).toBeLessThan(0.45 * CLIENTS);
  }
}

/** The first wait follows the end of the connection, the others follow refusals. None is longer than it may be. */
function expectWaits(member: Member, { ended }: Restart): void {
  const waits = waitsOf(member).map(({ change }) => change);
  expect(waits.length).toBeGreaterThan(0);
  for (const [index, { reason, waitMs = Number.NaN }] of waits.entries()) {
    const jitterMs = windowMs(index, { ended });
    if (index === 0) {
      expect(reason).toBeInstanceOf(ConnectionEnded);
      expect(reason).toMatchObject(ended);
      expect(waitMs).toBeGreaterThanOrEqual(0);
      expect(waitMs).toBeLessThan(jitterMs);
    } else {
      if (!(reason instanceof ConnectRefused)) throw reason;
      // On a busy machine the ticket service may answer late as well.
      const lost = ['not_seen', 'connection_lost', 'service_unreachable'];
      // A gateway may be killed between consume and 101: the record says that the ticket was admitted.
      if (ended.code === 'closed') lost.push('unexplained');
      expect(['draining', 'store_unavailable', ...lost]).toContain(reason.code);
      const leastMs = (reason.retryAfter ?? 0) * 1000;
      expect(waitMs).toBeGreaterThanOrEqual(leastMs);
      expect(waitMs).toBeLessThan(leastMs + jitterMs);
    }
  }
}

function plannedReturn(member: Member): number {
  const [first] = waitsOf(member);
  return (first?.at ?? Number.NaN) + firstWait(member);
}

function firstWait(member: Member): number {
  return waitsOf(member)[0]?.change.waitMs ?? Number.NaN;
}

function lastOpening({ changes }: Member): number {
  return changes.findLast(({ change }) => change.state === 'open')?.at ?? Number.NaN;
}
