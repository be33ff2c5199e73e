import { createServer } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../../shared/process/log.ts';
import { createStore } from '../../../shared/store/create-store.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import { parseAnswers } from '../../support/http/http-answer.ts';
import { JWT_SECRET } from '../../support/logins/bearer.ts';
import { atEnd } from '../../support/machine/teardown.ts';
import { until } from '../../support/machine/wait.ts';
import { startTcpProxy } from '../../support/proxies/tcp-proxy.ts';
import { type RedisServer, startRedis } from '../../support/redis/redis.ts';
import { settingsOf, storeTicket } from '../../support/services/in-process.ts';
import { runToEnd, type ServiceProcess, startService } from '../../support/services/services.ts';
import { exchange, openRaw } from '../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../support/sockets/upgrade-request.ts';
import { type Client, openWithTicket } from '../../support/sockets/web-socket.ts';

let redis: RedisServer;
let store: TicketStore;

beforeAll(async () => {
  redis = await startRedis();
  store = createStore(await settingsOf({ REDIS_URL: redis.url }), createLogger('silent', {}));
  atEnd(() => store.end());
  await until(() => store.ready);
});

interface Ready {
  readonly status: number;
  readonly body: string;
}

async function readyz({ adminPort }: ServiceProcess): Promise<Ready> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  return { status: response.status, body: await response.text() };
}

async function startReady(env: Record<string, string> = {}): Promise<ServiceProcess> {
  const gateway = await startService('gateway', { REDIS_URL: redis.url, ...env });
  await until(async () => (await readyz(gateway)).status === 200);
  return gateway;
}

const open = async (gateway: ServiceProcess, subject = 'ada'): Promise<Client> =>
  openWithTicket(gateway.port, (await storeTicket(store, { subject })).value);

const openMany = (gateway: ServiceProcess, count: number): Promise<Client[]> =>
  Promise.all(Array.from({ length: count }, () => open(gateway)));

const logged = (service: ServiceProcess, event: string) => service.log.filter((line) => line.event === event);

describe('a gateway that is told to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'on %s closes its connections in a spread and exits with 0',
    async (signal) => {
      const gateway = await startReady({ DRAIN_SECONDS: '2', GATEWAY_ID: `drained-by-${signal}` });
      const clients = await openMany(gateway, 40);
      const unspent = await storeTicket(store);
      const start = performance.now();
      gateway.signal(signal);
      await until(() => logged(gateway, 'draining').length === 1);

      const ready = await readyz(gateway);
      expect([ready.status, JSON.parse(ready.body).code]).toEqual([503, 'draining']);
      const [refused] = await exchange(gateway.port, upgradeRequest({ target: `/?ticket=${unspent.value}` }));
      expect(refused?.statusLine).toBe('HTTP/1.1 503 Service Unavailable');
      expect(JSON.parse(refused?.body ?? '')).toMatchObject({ code: 'draining', ticket_id: unspent.id });
      expect(await store.read(unspent.id)).toMatchObject({ state: 'issued', lastAttempt: { outcome: 'draining' } });

      const endings = await Promise.all(clients.map(({ closed }) => closed));
      expect(endings).toEqual(clients.map(() => ({ code: 1012, reason: 'draining;spread_seconds=0;spread' })));
      const moments = clients.map((client) => Number(client.closedAt()) - start).sort((a, b) => a - b);
      // Evenly over two seconds: half of them is not gone at once. That a part goes early is shown with fake time.
      expect(moments[20]).toBeGreaterThan(400);
      expect(moments[39]).toBeGreaterThan(1_400);

      expect(await gateway.exited).toBe(0);
      expect(logged(gateway, 'close')).toHaveLength(40);
      const records = await Promise.all(logged(gateway, 'close').map(({ ticket_id: id }) => store.read(String(id))));
      expect(records.map((record) => [record?.state, record?.closeCode, record?.closeReason])).toEqual(
        records.map(() => ['closed', 1012, 'draining']),
      );
      expect(await redis.call('EXISTS', `oncegate:gateway:drained-by-${signal}`)).toBe(0);
    },
  );

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'and told again by %s ends at once, with 1001 to its clients',
    async (signal) => {
      const gateway = await startReady({ DRAIN_SECONDS: '3600' });
      const clients = await openMany(gateway, 10);
      gateway.signal('SIGTERM');
      await until(() => clients.some((client) => client.closedAt() !== undefined));
      gateway.signal(signal);

      // 0 where every client was quick enough to say goodbye.
      expect([0, signal === 'SIGTERM' ? 143 : 130]).toContain(await gateway.exited);
      const codes = (await Promise.all(clients.map(({ closed }) => closed))).map(
        ({ code, reason }) => `${code} ${reason}`,
      );
      const drained = codes.filter((code) => code === '1012 draining;spread_seconds=0;spread');
      expect(drained.length).toBeGreaterThanOrEqual(1);
      expect(codes.filter((code) => code === '1001 going_away')).toHaveLength(10 - drained.length);
      expect(drained.length).toBeLessThan(10);
    },
  );

  test('and told again does not wait for a client that says nothing', async () => {
    const gateway = await startReady({ DRAIN_SECONDS: '3600' });
    const client = await openRaw(gateway.port);
    client.send(upgradeRequest({ target: `/?ticket=${(await storeTicket(store)).value}` }));
    await until(() => client.received.includes('hello'));
    gateway.signal('SIGTERM');
    await until(() => client.received.includes('draining'));
    gateway.signal('SIGTERM');

    expect(await gateway.exited).toBe(143);
  });

  test('exits where a client does not answer the Close frame', async () => {
    const gateway = await startReady({ DRAIN_SECONDS: '0' });
    const client = await openRaw(gateway.port);
    client.send(upgradeRequest({ target: `/?ticket=${(await storeTicket(store)).value}` }));
    await until(() => client.received.includes('hello'));
    gateway.signal('SIGTERM');

    expect(await gateway.exited).toBe(0);
  });

  test('exits where somebody holds a connection open on which no request has come', async () => {
    const gateway = await startReady({ DRAIN_SECONDS: '0' });
    const idle = await openRaw(gateway.port);
    const begun = await openRaw(gateway.port);
    begun.send('GET / HTTP/1.1\r\nHost: gate');
    await readyz(gateway);
    gateway.signal('SIGTERM');

    expect(await gateway.exited).toBe(0);
    await Promise.all([idle.closed, begun.closed]);
  });

  test('closes with 1012 also what it was still deciding about, and exits', async () => {
    const gateway = await startReady({ DRAIN_SECONDS: '1' });
    const ticket = await storeTicket(store);
    await redis.pause();
    const client = await openRaw(gateway.port);
    client.send(upgradeRequest({ target: `/?ticket=${ticket.value}` }));
    // An answer to a later request says that the upgrade has been read.
    await readyz(gateway);
    gateway.signal('SIGTERM');
    await until(() => logged(gateway, 'draining').length === 1);
    redis.resume();

    await client.closed;
    const received = client.received.toString('latin1');
    expect(received).toMatch(/^HTTP\/1\.1 101 /);
    expect(received).toContain('\x03\xf4draining;spread_seconds=0;spread');
    expect(await gateway.exited).toBe(0);
    expect(await store.read(ticket.id)).toMatchObject({ state: 'closed', closeCode: 1012 });
  });
});

describe('a ticket service that is told to stop', () => {
  const start = () => startService('ticket', { REDIS_URL: redis.url, AUTH_JWT_SECRET: JWT_SECRET });

  test('exits with 0 and leaves no request without its answer', async () => {
    const service = await start();
    await until(async () => (await readyz(service)).status === 200);
    const client = await openRaw(service.port);
    client.send('POST /tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n');
    await readyz(service);
    service.signal('SIGTERM');
    await until(() => logged(service, 'stopping').length === 1);
    client.send('{}');

    await client.closed;
    expect(parseAnswers(client.received).map(({ statusLine }) => statusLine)).toEqual(['HTTP/1.1 401 Unauthorized']);
    expect(await service.exited).toBe(0);
  });

  test('exits where somebody holds a connection open on which no request has come', async () => {
    const service = await start();
    const idle = await openRaw(service.port);
    const admin = await openRaw(service.adminPort);
    await readyz(service);
    service.signal('SIGTERM');

    expect(await service.exited).toBe(0);
    await Promise.all([idle.closed, admin.closed]);
  });
});

describe('a service', () => {
  test.each(['gateway', 'ticket'] as const)(
    '(%s) starts without Redis and says so until Redis answers',
    async (name) => {
      const gate = await startTcpProxy(redis);
      gate.cut();
      const env = {
        REDIS_URL: `redis://127.0.0.1:${gate.port}`,
        ...(name === 'ticket' && { AUTH_JWT_SECRET: JWT_SECRET }),
      };
      const service = await startService(name, env);

      const ready = await readyz(service);
      expect([ready.status, JSON.parse(ready.body).code]).toEqual([503, 'store_unavailable']);
      expect((await fetch(`http://127.0.0.1:${service.adminPort}/livez`)).status).toBe(200);
      gate.restore();
      await until(async () => (await readyz(service)).status === 200);
      gate.cut();
      await until(async () => (await readyz(service)).status === 503);
      gate.restore();
      await until(async () => (await readyz(service)).status === 200);
    },
  );

  test.each([
    ['gateway', 'GATEWAY_PORT'],
    ['gateway', 'GATEWAY_ADMIN_PORT'],
    ['ticket', 'TICKET_PORT'],
    ['ticket', 'TICKET_ADMIN_PORT'],
    ['standalone', 'TICKET_PORT'],
  ] as const)('(%s) ends with 69 where %s is taken', async (name, setting) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    atEnd(async () => void taken.close());
    const address = taken.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const { code, stderr } = await runToEnd(name, {
      ...(name !== 'standalone' && { REDIS_URL: redis.url }),
      ...(name === 'ticket' && { AUTH_JWT_SECRET: JWT_SECRET }),
      GATEWAY_PORT: '0',
      GATEWAY_ADMIN_PORT: '0',
      TICKET_PORT: '0',
      TICKET_ADMIN_PORT: '0',
      [setting]: port,
    });

    expect(code).toBe(69);
    expect(stderr).toBe(
      `cannot listen on 127.0.0.1:${port}: EADDRINUSE: the port is taken. Set ${setting} to another port (0 for any free one), or end what listens there.\n`,
    );
  });

  test.each([
    ['gateway', '--port=1'],
    ['ticket', 'serve'],
    ['standalone', '-x'],
  ] as const)('(%s) ends with 64 at the argument %s', async (name, argument) => {
    const { code, stdout, stderr } = await runToEnd(name, {}, [argument]);

    expect(code).toBe(64);
    expect(stderr).toContain(`${name}: takes no arguments`);
    expect(stdout).toBe('');
  });
});
