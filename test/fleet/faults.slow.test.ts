import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { faultsOf, recordInRedis } from '../support/services/fleet.ts';
import { type Fleet, issueTicket, type ServiceProcess, startFleet } from '../support/services/services.ts';
import { type Sample, startSteadyLoad } from '../support/services/steady-load.ts';

/** What the project promises: a refusal within this time while Redis is away, and work within that after it is back. */
const ANSWER_MS = 1_000;
const RECOVERY_MS = 2_000;

interface Outage {
  readonly samples: readonly Sample[];
  readonly awayAt: number;
  /** Just before Redis was let come back, and when it was back. */
  readonly returningAt: number;
  readonly backAt: number;
}

describe.skipIf(isMissing('redis'))('a fleet whose Redis goes away under load', () => {
  let redis: RedisServer;
  let fleet: Fleet;
  let services: readonly ServiceProcess[];

  beforeAll(async () => {
    redis = await startRedis();
    fleet = await startFleet({ redisUrl: redis.url, gateways: 2, env: { LEASE_SECONDS: '3' } });
    services = [fleet.ticket, ...fleet.gateways];
  });

  const hang = { leave: () => redis.pause(), comeBack: async () => redis.resume() };
  const outages = [
    { name: 'killed', leave: () => redis.kill(), comeBack: () => redis.restart(), forMs: 3_000 },
    { name: 'hung for a moment', ...hang, forMs: 1_500 },
    // Past 5 s of silence the connections to it are given up and made anew.
    { name: 'hung until it is given up', ...hang, forMs: 6_500 },
  ];

  /** Takes Redis away for a while, with the load going on before, meanwhile and after. */
  async function suffer({ leave, comeBack, forMs }: (typeof outages)[number]): Promise<Outage> {
    const load = await startSteadyLoad(fleet);
    await until(() => succeeded(load.samples).length >= 100, { what: 'the load is under way' });
    await leave();
    const awayAt = performance.now();
    await Promise.all(services.map((service) => readiness(service, 503)));
    await until(() => performance.now() - awayAt >= forMs, { timeoutMs: forMs + 1_000 });
    const returningAt = performance.now();
    await comeBack();
    const backAt = performance.now();
    await Promise.all(services.map((service) => readiness(service, 200)));
    const late = (): Sample[] => load.samples.filter(({ sentAt }) => sentAt >= backAt + RECOVERY_MS);
    await until(() => late().length >= 100, { what: 'the load goes on' });
    await load.stop();
    return { samples: load.samples, awayAt, returningAt, backAt };
  }

  for (const kind of outages) {
    test(`refuses in time while it is ${kind.name}, works again soon after, and keeps what was open`, async () => {
      const open = await Promise.all(fleet.gateways.map((gateway) => openEcho(fleet.ticket, gateway)));
      const outage = await suffer(kind);

      expectOnlyRefusalsInTime(outage);
      expectNoGoodTicketCalledBad(outage);
      expectRecovery(outage, services);
      for (const { log } of services) expect(log.filter(({ event }) => event === 'listening')).toHaveLength(1);
      expect(faultsOf(fleet)).toStrictEqual([]);

      for (const { webSocket, id, closed } of open) {
        expect(closed()).toBe(false);
        expect(await echoed(webSocket, 'still here')).toBe('still here');
        await until(async () => (await recordInRedis(redis, id)).state === 'open', { what: 'the record says open' });
        webSocket.terminate();
      }
    }, 40_000);
  }
});

/** While Redis is away every issue and every upgrade is answered with 503, none of them late. */
function expectOnlyRefusalsInTime({ samples, awayAt, returningAt, backAt }: Outage): void {
  const away = samples.filter(({ sentAt, answeredAt }) => sentAt >= awayAt && answeredAt <= returningAt);
  for (const kind of ['issue', 'upgrade'] as const) {
    expect(away.filter((sample) => sample.kind === kind).length).toBeGreaterThan(100);
  }
  expect(new Set(away.map(({ status, code }) => `${status} ${code}`))).toStrictEqual(
    new Set(['503 store_unavailable']),
  );
  for (const { retryAfter } of away) expect(retryAfter).toMatch(/^[1-9]\d*$/);

  const touched = samples.filter(({ sentAt, answeredAt }) => answeredAt >= awayAt && sentAt <= backAt);
  expect(Math.max(...touched.map(({ sentAt, answeredAt }) => answeredAt - sentAt))).toBeLessThan(ANSWER_MS);
}

/** Before, meanwhile and after, a fresh ticket opens a connection or meets a 503; it is never called bad. */
function expectNoGoodTicketCalledBad({ samples }: Outage): void {
  const answers = (kind: Sample['kind']): string[] =>
    samples
      .filter((sample) => sample.kind === kind && sample.fresh)
      .map(({ status, code }) => (code === undefined ? String(status) : `${status} ${code}`));

  expect([...new Set(answers('issue'))].sort()).toStrictEqual(['201', '503 store_unavailable']);
  for (const answer of new Set(answers('upgrade'))) expect(['101', '503 store_unavailable']).toContain(answer);
}

/** Every process does its work again, soon and for good. */
function expectRecovery({ samples, returningAt, backAt }: Outage, services: readonly ServiceProcess[]): void {
  for (const { port } of services) {
    const first = succeeded(samples).find((sample) => sample.port === port && sample.answeredAt >= returningAt);
    expect((first?.answeredAt ?? Number.POSITIVE_INFINITY) - backAt).toBeLessThan(RECOVERY_MS);
  }
  const late = samples.filter(({ sentAt, fresh }) => sentAt >= backAt + RECOVERY_MS && fresh);
  expect(new Set(late.map(({ status }) => status))).toStrictEqual(new Set([201, 101]));
}

function succeeded(samples: readonly Sample[]): Sample[] {
  return samples.filter(({ status }) => status === 201 || status === 101);
}

async function readiness({ adminPort }: ServiceProcess, status: number): Promise<void> {
  await until(async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === status, {
    timeoutMs: RECOVERY_MS,
    what: `/readyz answers ${status}`,
  });
}

async function openEcho(ticket: ServiceProcess, gateway: ServiceProcess) {
  const issued = await issueTicket(ticket, 'stayer');
  const webSocket = new WebSocket(`ws://127.0.0.1:${gateway.port}/?ticket=${issued.ticket}`);
  let closed = false;
  webSocket.on('close', () => {
    closed = true;
  });
  await new Promise((resolve, reject) => {
    webSocket.once('message', resolve); // the greeting
    webSocket.once('error', reject);
  });
  return { webSocket, id: issued.id, closed: () => closed };
}

function echoed(webSocket: WebSocket, message: string): Promise<string> {
  return new Promise((resolve, reject) => {
    webSocket.once('message', (data) => resolve(data.toString()));
    webSocket.once('close', () => reject(new Error('closed')));
    webSocket.send(message);
  });
}
