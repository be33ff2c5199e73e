import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { startNginx } from '../support/proxies/nginx.ts';
import { startRedis } from '../support/redis/redis.ts';
import { recordInRedis } from '../support/services/fleet.ts';
import { issueTicket, metric, startFleet } from '../support/services/services.ts';
import { openWebSocket, Refused } from '../support/sockets/web-socket.ts';

const CLIENTS = 30;
/** Well-formed, and unknown. */
const TICKET = `ogt_${'a'.repeat(22)}.${'b'.repeat(32)}`;

describe.skipIf(isMissing('nginx') || isMissing('redis'))('deploy/nginx.conf', () => {
  async function start(more?: ReadonlyArray<readonly [string, string]>) {
    const redis = await startRedis();
    const env = { TRUST_PROXY: '127.0.0.1', DRAIN_SECONDS: '30' };
    const fleet = await startFleet({ redisUrl: redis.url, gateways: 3, env });
    const { port } = await startNginx(fleet, more);
    /** Connects with a new ticket: 101, or the status of the refusal. */
    const open = async (path = '/', wish: object = {}): Promise<{ id: string; status: number }> => {
      const { id, ticket } = await issueTicket(fleet.ticket, `subject-${Math.random()}`, wish);
      return { id, ...(await connect(ticket, path)) };
    };
    const connect = async (ticket: string, path = '/'): Promise<{ status: number }> => {
      try {
        await openWebSocket(`ws://127.0.0.1:${port}${path}?ticket=${ticket}`);
        return { status: 101 };
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return { status: error.status };
      }
    };
    return { redis, fleet, open: Object.assign(open, { with: connect }) };
  }

  test('sends nobody who comes back to a gateway that drains', async () => {
    const { redis, fleet, open } = await start();
    for (let index = 0; index < CLIENTS; index += 1) expect((await open()).status).toBe(101);
    const [draining, ...others] = fleet.gateways;
    if (draining === undefined) throw new Error('a fleet without a gateway');
    draining.signal('SIGTERM');
    await until(async () => (await fetch(`http://127.0.0.1:${draining.adminPort}/readyz`)).status === 503);

    const started = performance.now();
    const back = [];
    for (let index = 0; index < CLIENTS; index += 1) back.push(await open());
    const each = (performance.now() - started) / CLIENTS;

    expect(back.filter(({ status }) => status !== 101)).toEqual([]);
    // Some were sent to it first: it has noted its refusal, and left the ticket unspent.
    const records = await Promise.all(back.map(({ id }) => recordInRedis(redis, id)));
    expect(records.every(({ gateway }) => gateway !== 'gateway-1')).toBe(true);
    const asked = await metric(draining, 'oncegate_handshakes_total{outcome="draining"}');
    process.stdout.write(`${asked} of ${CLIENTS} were passed on, ${each.toFixed(1)} ms each\n`);
    expect(asked).toBeGreaterThan(0);
    for (const other of others) expect(await metric(other, 'oncegate_replays_total')).toBe(0);
    draining.signal('SIGKILL');
  });

  test('tells the reason while every gateway answers 503', async () => {
    const { redis, fleet, open } = await start();
    await redis.stop();
    await until(async () => {
      const ready = fleet.gateways.map(({ adminPort }) => fetch(`http://127.0.0.1:${adminPort}/readyz`));
      return (await Promise.all(ready)).every(({ status }) => status === 503);
    });
    const statuses = [];
    for (let index = 0; index < 8; index += 1) statuses.push((await open.with(TICKET)).status);

    expect(statuses).toEqual(Array(8).fill(503));
  });

  test('keeps the target when a path of GATEWAY_URL is taken off, as docs/operations.md shows', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
    const [, snippet = ''] = /```nginx\n( *location \/socket\/[\s\S]*?)```/.exec(page) ?? [];
    const { open } = await start([['        location / {', `${snippet}\n        location / {`]]);

    for (const path of [
      '/user/ada%40example.org',
      '/user/ada@example.org',
      '/hello%20world',
      '/a%3Fb',
      '/caf%C3%A9',
      '/',
    ]) {
      expect([path, (await open(`/socket${path}`, { path })).status]).toEqual([path, 101]);
    }
    expect((await open('/socket/other', { path: '/room' })).status).toBe(403);
    expect((await open('/%73ocket/room', { path: '/room' })).status).toBe(400);
  });
});
