import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { AcceptQueue, overloaded } from '../../../shared/http/accept-queue.ts';
import { createMetrics } from '../../../shared/metrics.ts';
import { problemOf } from '../../support/http/http-answer.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { listen } from '../../support/machine/listen.ts';
import { until } from '../../support/machine/wait.ts';
import { runGateway, runTicketService, storeTicket } from '../../support/services/in-process.ts';
import { openRaw } from '../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../support/sockets/upgrade-request.ts';

const BOUND_MS = 400;
/** Far longer than the bound and the 250 ms between two measurements. */
const BLOCKED_MS = 1_500;

function blockTheLoop(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS);
}

async function watched(server: Server, overloadDelayMs = BOUND_MS) {
  const metrics = createMetrics(['gateway']);
  const measured: number[] = [];
  const set = (_name: string, seconds: number): void => void measured.push(seconds);
  const queue = new AcceptQueue({ overloadDelayMs, metrics: { ...metrics, set }, log: pino({ level: 'silent' }) });
  await listen(server);
  queue.watch(server);
  return { queue, measured };
}

describe.each([
  ['without TLS', () => createServer()],
  ['with TLS', () => createTlsServer()],
])('a server %s', (_name, create) => {
  test('is measured again and again, and is long only while connections wait', async () => {
    const { queue, measured } = await watched(create());
    await until(() => measured.length >= 2, { what: 'two measurements' });
    blockTheLoop();

    expect(queue.delayMs).toBeGreaterThan(BOUND_MS);
    expect(queue.isLong).toBe(true);
    await until(() => !queue.isLong, { what: 'the queue is short again' });
    expect(Math.max(...measured)).toBeGreaterThan(BOUND_MS / 1000);
  });
});

test('a server that closes each connection, or that has closed, is not long for ever', async () => {
  const server = createServer();
  server.prependListener('connection', (socket) => socket.destroy());
  const { queue } = await watched(server);
  blockTheLoop();
  await until(() => !queue.isLong, { what: 'the measurement that failed counts no more' });
  await new Promise((resolve) => server.close(resolve));
  await until(() => queue.delayMs < 0 || !queue.isLong);

  expect(queue.isLong).toBe(false);
});

test('nothing is measured without a bound', async () => {
  const server = createServer();
  const connections: unknown[] = [];
  server.on('connection', (socket) => connections.push(socket));
  const { queue } = await watched(server, 0);
  blockTheLoop();

  expect(queue.isLong).toBe(false);
  expect(connections).toEqual([]);
});

test('clients that are refused together are told different waits', () => {
  const waits = [0, 0.5, 0.999_999].map((random) => overloaded(() => random).retryAfterSeconds);

  expect(waits).toEqual([5, 10, 15]);
});

const OVERLOAD = { OVERLOAD_DELAY_MS: String(BOUND_MS) };
const refusal = { status: 503, code: 'overloaded', retry: 'backoff', retry_after: expect.any(Number) };

test('a gateway refuses the upgrades that have waited, and admits again', async () => {
  const gateway = await runGateway(OVERLOAD);
  const [early, late] = [await storeTicket(gateway.store), await storeTicket(gateway.store)];
  const client = await openRaw(gateway.port);
  blockTheLoop();
  client.send(upgradeRequest({ target: `/?ticket=${early.value}` }));
  const outcome = await client.outcome;
  if (outcome.kind !== 'refused' || outcome.answers[0] === undefined) throw new Error(outcome.kind);

  expect(problemOf(outcome.answers[0])).toMatchObject(refusal);
  expect(Number(outcome.answers[0].header('retry-after'))).toBeGreaterThanOrEqual(5);
  expect(await gateway.store.read(early.id)).toMatchObject({ state: 'issued' });
  expect(await gateway.metric('oncegate_accept_delay_seconds')).toBeGreaterThan(0);
  await until(
    async () => {
      const next = await openRaw(gateway.port);
      next.send(upgradeRequest({ target: `/?ticket=${late.value}` }));
      return (await next.outcome).kind === 'open';
    },
    { what: 'an upgrade is admitted again' },
  );
  expect(gateway.log.filter(({ event }) => event === 'overloaded')).toEqual([
    expect.objectContaining({ level: 'warn', setting: 'OVERLOAD_DELAY_MS' }),
  ]);
});

test('a ticket service refuses the requests that have waited, readable for a listed origin', async () => {
  const origin = 'https://app.example';
  const service = await runTicketService({ ...OVERLOAD, ALLOWED_ORIGINS: origin });
  const head = `POST /tickets HTTP/1.1\r\nHost: a\r\nConnection: close\r\nOrigin: ${origin}\r\nAuthorization: ${await bearer('ada')}\r\n\r\n`;
  const client = await openRaw(service.port);
  blockTheLoop();
  client.send(head);
  const outcome = await client.outcome;
  if (outcome.kind !== 'refused' || outcome.answers[0] === undefined) throw new Error(outcome.kind);

  expect(problemOf(outcome.answers[0])).toMatchObject(refusal);
  expect(outcome.answers[0].header('access-control-allow-origin')).toBe(origin);
  expect(await service.metric('oncegate_tickets_issued_total')).toBe(0);
});
