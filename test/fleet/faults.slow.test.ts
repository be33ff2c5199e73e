import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { faultsOf, recordInRedis } from '../support/services/fleet.ts';
import { type Fleet, issueTicket, type ServiceProcess, startFleet } from '../support/services/services.ts';
import { type Sample, startSteadyLoad } from '../support/services/steady-load.ts';

/** What the services wait for an answer of Redis: a small part of each outage, and far more than an answer takes. */
const REDIS_TIMEOUT_MS = 1_000;

interface Outage {
  readonly samples: readonly Sample[];
  readonly awayAt: number;
  /** What was asked from `awayAt` until then has been answered before Redis was let come back. */
  readonly lastAskedAt: number;
  /** Just before Redis was let come back, and when every service worked again. */
  readonly returningAt: number;
  readonly recoveredAt: number;
}

describe.skipIf(isMissing('redis'))('a fleet whose Redis goes away under load', () => {
  let redis: RedisServer;
  let fleet: Fleet;
  let services: readonly ServiceProcess[];

  beforeAll(async () => {
    redis = await startRedis();
    const env = { LEASE_SECONDS: '10', REDIS_TIMEOUT_MS: String(REDIS_TIMEOUT_MS) };
    fleet = await startFleet({ redisUrl: redis.url, gateways: 2, env });
    services = [fleet.ticket, ...fleet.gateways];
  });

  const hang = { leave: () => redis.pause(), comeBack: async () => redis.resume() };
  const outages = [
    { name: 'killed', leave: () => redis.kill(), comeBack: () => redis.restart(), forMs: 3_000 },
    { name: 'hung for a moment', ...hang, forMs: 3_000 },
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
    const answered = (kind: Sample['kind']): Sample[] =>
      load.samples.filter((sample) => sample.kind === kind && sample.sentAt >= awayAt);
    await until(() => performance.now() - awayAt >= forMs && answered('issue').length > 100, { what: 'the outage' });
    await until(() => answered('upgrade').length > 100, { what: 'the gateways are asked' });
    const lastAskedAt = performance.now();
    await until(() => load.oldestSentAt() > lastAskedAt, { what: 'all of it is answered while Redis is away' });
    const returningAt = performance.now();
    await comeBack();
    await Promise.all(services.map((service) => readiness(service, 200)));
    const recoveredAt = performance.now();
    const late = (): Sample[] => load.samples.filter(({ sentAt }) => sentAt >= recoveredAt);
    await until(() => late().length >= 100, { what: 'the load goes on' });
    await load.stop();
    return { samples: load.samples, awayAt, lastAskedAt, returningAt, recoveredAt };
  }

  for (const kind of outages) {
    test(`refuses while it is ${kind.name}, works again when it is back, and keeps what was open`, async () => {
      const open = await Promise.all(fleet.gateways.map((gateway) => openEcho(fleet.ticket, gateway)));
      const outage = await suffer(kind);

      expectOnlyRefusals(outage);
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
    });
  }
});

/** While Redis is away every issue and every upgrade is answered with 503: nothing waits for it to come back. */
function expectOnlyRefusals({ samples, awayAt, lastAskedAt, returningAt }: Outage): void {
  const away = samples.filter(({ sentAt }) => sentAt >= awayAt && sentAt <= lastAskedAt);
  expect(away.filter(({ answeredAt }) => answeredAt > returningAt)).toStrictEqual([]);
  expect(new Set(away.map(({ status, code }) => `${status} ${code}`))).toStrictEqual(
    new Set(['503 store_unavailable']),
  );
  for (const { retryAfter } of away) expect(retryAfter).toMatch(/^[1-9]\d*$/);
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

/** Every process does its work again, for good from the moment at which all are ready. */
function expectRecovery({ samples, recoveredAt }: Outage, services: readonly ServiceProcess[]): void {
  const late = samples.filter(({ sentAt, fresh }) => sentAt >= recoveredAt && fresh);
  expect(new Set(late.map(({ port }) => port))).toStrictEqual(new Set(services.map(({ port }) => port)));
  expect(new Set(late.map(({ status }) => status))).toStrictEqual(new Set([201, 101]));
}

function succeeded(samples: readonly Sample[]): Sample[] {
  return samples.filter(({ status }) => status === 201 || status === 101);
}

async function readiness({ adminPort }: ServiceProcess, status: number): Promise<void> {
  await until(async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === status, {
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
