import { beforeAll, describe, expect, test } from 'vitest';
import { httpRequest } from '../support/http/http-request.ts';
import { until } from '../support/machine/wait.ts';
import { startProxy } from '../support/proxies/proxy-process.ts';
import { metricSum, recordInRedis } from '../support/services/fleet.ts';
import type { IssuedTicket, ServiceProcess } from '../support/services/services.ts';
import { openWebSocket, Refused } from '../support/sockets/web-socket.ts';
import { modesHere } from './modes.ts';
import { type Site, startSite } from './site.ts';

let site: Site;
let first: ServiceProcess;
let second: ServiceProcess;

beforeAll(async () => {
  site = await startSite({}, 2);
  const [one, other] = site.fleet.gateways;
  if (one === undefined || other === undefined) throw new Error('two gateways were asked for');
  [first, second] = [one, other];
});

/** Connects through a proxy: 101, or the status of the refusal. */
async function statusOf(port: number, { protocols }: Pick<IssuedTicket, 'protocols'>): Promise<number> {
  try {
    (await openWebSocket(`ws://127.0.0.1:${port}/`, { protocols })).socket.terminate();
    return 101;
  } catch (error) {
    if (error instanceof Refused) return error.status;
    throw error;
  }
}

const forwardAuth = modesHere.filter((mode) => mode.forwardAuth);

describe.each(forwardAuth)('$name', (mode) => {
  test('asks a gateway that hangs once, and lets no client through', async () => {
    const { port } = site.proxyOf(mode);
    const issued = await site.issue();
    const before = site.backEnd.arrivals.length;
    first.signal('SIGSTOP');
    const status = await statusOf(port, issued).finally(() => first.signal('SIGCONT'));
    // The gateway answers in order: by now it has seen every earlier question.
    expect(await statusOf(port, await site.issue())).toBe(101);
    const record = await until(async () => {
      const found = await recordInRedis(site.redis, issued.id);
      return found.state !== 'open' && found;
    });

    expect([503, 504]).toContain(status);
    // A proxy that resets the connection withdraws the question, and the ticket stays unspent.
    if (record.state === 'issued') expect(record.attempts).toBe('0');
    else expect(record).toMatchObject({ state: 'closed', attempts: '1', close_reason: 'client_gone' });
    expect(site.backEnd.arrivals.slice(before)).toHaveLength(1);
  });

  test('asks once for each upgrade, and not at all for other requests', async () => {
    const { port } = site.proxyOf(mode);
    const issued = await site.issue();
    const before = await metricSum([first], 'oncegate_handshakes_total{outcome="admitted"}');

    const unspent = await site.issue();
    const plain = await httpRequest(port, `/?ticket=${unspent.ticket}`);
    const almost = await httpRequest(port, `/?ticket=${unspent.ticket}`, {
      headers: { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' },
    });
    const status = await statusOf(port, issued);

    expect([plain.status, almost.status]).toEqual([426, 426]);
    expect((await recordInRedis(site.redis, unspent.id)).state).toBe('issued');
    expect(status).toBe(101);
    expect((await recordInRedis(site.redis, issued.id)).attempts).toBe('1');
    expect(await metricSum([first], 'oncegate_handshakes_total{outcome="admitted"}')).toBe(before + 1);
    expect(site.backEnd.plain).toEqual([]);
  });
});

describe.skipIf(!forwardAuth.some(({ proxy }) => proxy === 'nginx'))('a proxy that asks the next gateway', () => {
  test('opens one connection if two gateways are asked about the same ticket', async () => {
    const retrying = await startProxy({
      command: 'nginx',
      files: ['examples/nginx/nginx.conf'],
      args: (file, dir) => ['-p', dir, '-c', file, '-g', 'daemon off;'],
      replace: (port) => [
        ['listen 8000;', `listen 127.0.0.1:${port};`],
        ['server 127.0.0.1:9081;', `server 127.0.0.1:${first.adminPort}; server 127.0.0.1:${second.adminPort} backup;`],
        ['127.0.0.1:3000', `127.0.0.1:${site.backEnd.port}`],
        ['proxy_next_upstream off;', 'proxy_next_upstream error timeout;'],
      ],
    });
    const issued = await site.issue();
    const before = site.backEnd.arrivals.length;
    first.signal('SIGSTOP');
    const status = await statusOf(retrying.port, issued).finally(() => first.signal('SIGCONT'));
    await until(async () => (await recordInRedis(site.redis, issued.id)).attempts === '2', { what: 'both were asked' });

    expect(status).toBe(101);
    expect(site.backEnd.arrivals.slice(before)).toHaveLength(1);
    const record = await recordInRedis(site.redis, issued.id);
    expect(record).toMatchObject({
      gateway: 'gateway-2',
      state: 'handed_over',
      last_attempt_outcome: 'ticket_consumed',
      last_attempt_gateway: 'gateway-1',
    });
    await until(async () => (await metricSum([first], 'oncegate_replays_total')) > 0);
  });
});

test.skipIf(modesHere.length === 0)('of all proxies at once, one lets the same ticket through', async () => {
  const issued = await site.issue();
  const before = site.backEnd.arrivals.length;

  const ports = modesHere.flatMap((mode) => Array<number>(4).fill(site.proxyOf(mode).port));
  const statuses = await Promise.all(ports.map((port) => statusOf(port, issued)));

  expect(statuses.sort()).toEqual([101, ...Array<number>(ports.length - 1).fill(401)]);
  expect(site.backEnd.arrivals.slice(before)).toHaveLength(1);
  expect((await recordInRedis(site.redis, issued.id)).attempts).toBe(String(ports.length));
});
