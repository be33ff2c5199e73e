import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { malformedUpgrade } from '../support/hostile/malformed-upgrades.ts';
import { isMissing } from '../support/machine/programs.ts';
import { scaled } from '../support/machine/scale.ts';
import { until } from '../support/machine/wait.ts';
import { seedOfRun } from '../support/numbers/random.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { faultsOf } from '../support/services/fleet.ts';
import { type Fleet, issueTicket, metric, type ServiceProcess, startFleet } from '../support/services/services.ts';
import { type Sample, type SteadyLoad, startSteadyLoad } from '../support/services/steady-load.ts';
import { acceptedSockets } from '../support/sockets/accepted-sockets.ts';
import { RawClient } from '../support/sockets/raw-client.ts';
import { upgradeRequest } from '../support/sockets/upgrade-request.ts';

const MINUTES = Number(process.env.ONCEGATE_SOAK_MINUTES ?? scaled(0.75, 10));
const OUTAGE_EVERY_MS = scaled(10_000, 30_000);
const OUTAGE_MS = 1_500;
const LEAST_OUTAGES = 2;
const MEASURE_EVERY_MS = 1_000;

/** Long-lived connections that talk. */
const TALKERS = 100;

/** What memory may grow by from the second quarter of the run to its last: caches fill, the heap is not compacted. */
const GROWTH_FACTOR = 1.25;
const GROWTH_BYTES = 16 * 1024 * 1024;

interface Outage {
  readonly kind: 'hung' | 'killed';
  readonly awayAt: number;
  readonly backAt: number;
}

const seed = seedOfRun();

describe.skipIf(isMissing('redis'))(
  `a fleet under ${MINUTES} minutes of mixed traffic, with Redis gone now and then`,
  () => {
    let redis: RedisServer;
    let fleet: Fleet;
    let services: readonly ServiceProcess[];
    let load: SteadyLoad;
    const outages: Outage[] = [];
    let echoes = 0;
    const heap = new Map<ServiceProcess, number[]>();

    beforeAll(
      async () => {
        redis = await startRedis();
        const env = {
          LEASE_SECONDS: '6',
          TICKET_RETENTION_SECONDS: '5',
          TICKET_TTL_SECONDS: '20',
          HEARTBEAT_SECONDS: '5',
          REDIS_TIMEOUT_MS: '500',
        };
        fleet = await startFleet({ redisUrl: redis.url, gateways: 2, env });
        services = [fleet.ticket, ...fleet.gateways];
        const endAt = performance.now() + MINUTES * 60_000;
        const goesOn = (): boolean => performance.now() < endAt || outages.length < LEAST_OUTAGES;

        load = await startSteadyLoad(fleet);
        await Promise.all([
          whileIt(goesOn, nonsense),
          whileIt(goesOn, replay),
          whileIt(goesOn, measure),
          whileIt(goesOn, outage),
          ...Array.from({ length: TALKERS }, (_, index) => whileIt(goesOn, () => talk(index))),
        ]);
        await load.stop();
      },
      (MINUTES + 10) * 60_000,
    );

    async function whileIt(goesOn: () => boolean, act: () => Promise<void>): Promise<void> {
      while (goesOn()) await act();
    }

    let round = 0;
    async function nonsense(): Promise<void> {
      for (const { port } of fleet.gateways) {
        const { packets, ending } = malformedUpgrade(seed + round);
        round += 1;
        const client = await RawClient.send(port, Buffer.concat(packets));
        if (ending === 'wait') client.socket.end();
        else client.socket.resetAndDestroy();
        await client.closed;
      }
    }

    /** Opens once, is refused twice. */
    async function replay(): Promise<void> {
      const issued = await issueTicket(fleet.ticket, 'replayer').catch(() => undefined);
      if (issued === undefined) return whenReady(fleet.ticket);
      const clients = fleet.gateways.map(({ port }) => RawClient.send(port, upgradeRequest({ ticket: issued.ticket })));
      for (const client of await Promise.all(clients)) {
        await client.outcome;
        await client.destroy();
      }
    }

    /** A connection that says something every now and then, for some seconds. */
    async function talk(index: number): Promise<void> {
      const issued = await issueTicket(fleet.ticket, `talker-${index}`).catch(() => undefined);
      if (issued === undefined) return whenReady(fleet.ticket);
      const gateway = fleet.gateways[index % fleet.gateways.length] ?? fleet.ticket;
      const webSocket = new WebSocket(`ws://127.0.0.1:${gateway.port}/?ticket=${issued.ticket}`);
      webSocket.on('error', () => {}); // refused while Redis is away; 'close' follows
      const closed = new Promise<void>((resolve) => webSocket.on('close', () => resolve()));
      const text = 'x'.repeat(1 + ((index * 997) % 20_000));
      let left = 20;
      webSocket.on('message', () => {
        echoes += 1;
        left -= 1;
        if (left > 0) setTimeout(() => webSocket.send(text, () => {}), 200);
        else if (index % 2 === 0) webSocket.close(1000);
        else webSocket.terminate();
      });
      await closed;
    }

    async function measure(): Promise<void> {
      for (const service of services) {
        const used = await metric(service, 'nodejs_heap_size_used_bytes');
        heap.set(service, [
          ...(heap.get(service) ?? []),
          used + (await metric(service, 'nodejs_external_memory_bytes')),
        ]);
      }
      await passing(MEASURE_EVERY_MS);
    }

    /** Redis is killed and started again, or hangs for a while, by turns. */
    async function outage(): Promise<void> {
      await passing(OUTAGE_EVERY_MS);
      const kind = outages.length % 2 === 0 ? 'hung' : 'killed';
      const awayAt = performance.now();
      if (kind === 'killed') await redis.kill();
      else await redis.pause();
      await passing(OUTAGE_MS);
      if (kind === 'killed') await redis.restart();
      else redis.resume();
      outages.push({ kind, awayAt, backAt: performance.now() });
      await Promise.all(services.map(whenReady));
    }

    test('does its work all the time', () => {
      const fresh = load.samples.filter((sample) => sample.fresh);
      const servedAt = fresh.filter(({ status }) => status === 101).map(({ answeredAt }) => answeredAt);

      const odd = fresh.filter((sample) => !isExpected(sample)).slice(0, 20);
      expect(odd.map((sample) => when(sample, outages))).toStrictEqual([]);
      for (const [index, { awayAt }] of outages.entries()) {
        const backAt = outages[index - 1]?.backAt ?? 0;
        expect(servedAt.filter((at) => at > backAt && at < awayAt).length, `before outage ${index}`).toBeGreaterThan(0);
      }
      expect(echoes).toBeGreaterThan(TALKERS);
      expect(faultsOf(fleet)).toStrictEqual([]);
    });

    test('needs no more memory in the end than in the beginning', () => {
      for (const values of heap.values()) {
        // The least of a window is what is left when the garbage has just been collected.
        const quarter = Math.floor(values.length / 4);
        const least = [0, 1, 2, 3].map((nth) => Math.min(...values.slice(nth * quarter, (nth + 1) * quarter)));
        process.stdout.write(`memory by quarters of the run: ${least.map(megabytes).join(', ')} MB\n`);
        const [, early = 0, , late = Number.POSITIVE_INFINITY] = least;
        expect(late).toBeLessThan(early * GROWTH_FACTOR + GROWTH_BYTES);
      }
    });

    test('holds no socket and no connection once everybody has gone', async () => {
      for (const gateway of fleet.gateways) {
        await until(async () => (await acceptedSockets(gateway)) === 0, {
          what: 'no socket is left',
        });
        expect(await metric(gateway, 'oncegate_connections_open')).toBe(0);
      }
      await until(async () => (await acceptedSockets(fleet.ticket)) === 0, {
        what: 'no socket is left',
      });
    });

    test('leaves nothing in Redis but what announces the gateways', async () => {
      const left = async (): Promise<string[]> =>
        (await redis.client.keys('*')).filter((key) => !key.startsWith('oncegate:gateway:'));
      await until(async () => (await left()).length === 0, { everyMs: 500, what: 'Redis is empty' });
    });
  },
);

/** A fresh ticket opens a connection or meets a 503: it is never called bad. */
function isExpected({ kind, status, code }: Sample): boolean {
  return status === (kind === 'issue' ? 201 : 101) || code === 'store_unavailable';
}

/** A sample, and where it lies beside the outage before it. */
function when({ kind, status, code, sentAt, answeredAt }: Sample, outages: readonly Outage[]): string {
  const before = outages.findLast(({ awayAt }) => awayAt <= answeredAt);
  const from = before === undefined ? 0 : before.awayAt;
  const [sent, answered, back] = [sentAt, answeredAt, before?.backAt ?? 0].map((moment) => Math.round(moment - from));
  return `${kind} ${status} ${code}: sent at ${sent}, answered at ${answered} ms; Redis was ${before?.kind}, back at ${back}`;
}

async function whenReady({ adminPort }: ServiceProcess): Promise<void> {
  await until(async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok, { everyMs: 50 });
}

/** The traffic goes on for a while. */
function passing(forMs: number): Promise<boolean> {
  const start = performance.now();
  return until(() => performance.now() - start >= forMs, { timeoutMs: forMs + 5_000, everyMs: 50 });
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
