import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { bearer } from '../support/logins/bearer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type Nginx, startNginx } from '../support/proxies/nginx.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { handshakesByOutcome, metricSum, recordInRedis } from '../support/services/fleet.ts';
import { type Fleet, type IssuedTicket, startFleet } from '../support/services/services.ts';
import { RawClient } from '../support/sockets/raw-client.ts';
import { upgradeRequest } from '../support/sockets/upgrade-request.ts';

const PASSWORD = 'the password of Redis in this test';

/** What docker-compose.yml starts, as processes on this machine: nginx is 127.0.0.1 to the services. */
async function startTopology(env: Record<string, string> = {}) {
  const redis = await startRedis({ args: ['--requirepass', PASSWORD], password: PASSWORD });
  const redisUrl = `redis://:${encodeURIComponent(PASSWORD)}@${redis.host}:${redis.port}`;
  const common = { TRUST_PROXY: '127.0.0.1', TICKET_CARRIERS: 'subprotocol,authorization' };
  const fleet = await startFleet({ redisUrl, gateways: 3, env: { ...common, ...env } });
  return { redis, fleet, nginx: await startNginx(fleet) };
}

describe.skipIf(isMissing('redis') || isMissing('nginx'))('three gateways behind nginx', () => {
  let redis: RedisServer;
  let fleet: Fleet;
  let nginx: Nginx;

  beforeAll(async () => {
    ({ redis, fleet, nginx } = await startTopology());
  });

  test('open connections that are spread over all of them', async () => {
    const opened = await Promise.all(
      Array.from({ length: 24 }, async (_, index) => openLikeABrowser(nginx, await issue(nginx, `subject-${index}`))),
    );
    const records = await Promise.all(opened.map(({ id }) => recordInRedis(redis, id)));

    expect(new Set(records.map(({ state }) => state))).toStrictEqual(new Set(['open']));
    expect([...new Set(records.map(({ gateway }) => gateway))].sort()).toStrictEqual([
      'gateway-1',
      'gateway-2',
      'gateway-3',
    ]);
    for (const { webSocket } of opened) webSocket.terminate();
    await until(async () => (await metricSum(fleet.gateways, 'oncegate_connections_open')) === 0);
  });

  test('open for a browser: the ticket in the subprotocol, its id in front of the path', async () => {
    const issued = await issue(nginx, 'ada', { path: '/room/7', claims: { role: 'guest' } });
    const { webSocket, hello } = await openLikeABrowser(nginx, issued, '/room/7');

    expect(webSocket.protocol).toBe('oncegate.v1');
    expect(hello).toStrictEqual({
      type: 'hello',
      ticket_id: issued.id,
      subject: 'ada',
      claims: {},
      client_claims: { role: 'guest' },
    });
    webSocket.send('echo');
    expect(String((await once(webSocket, 'message'))[0])).toBe('echo');
    webSocket.close(1000);
    await once(webSocket, 'close');
  });

  test('answer a refused upgrade with the whole problem document and its challenge', async () => {
    const issued = await issue(nginx, 'ada');
    const { webSocket } = await openLikeABrowser(nginx, issued);
    const { status, headers, body } = await refusedUpgrade(nginx, { Authorization: `Ticket ${issued.ticket}` });
    webSocket.terminate();

    expect(status).toBe(401);
    expect(headers).toMatchObject({
      'content-type': 'application/problem+json',
      'content-length': String(Buffer.byteLength(body)),
      'www-authenticate': 'Ticket realm="oncegate", error="ticket_consumed"',
      'cache-control': 'no-store',
    });
    expect(JSON.parse(body)).toMatchObject({ code: 'ticket_consumed', status: 401, ticket_id: issued.id });
  });

  test('refuse a page of another site', async () => {
    const { id, ticket } = await issue(nginx, 'ada');
    const { status, body } = await refusedUpgrade(nginx, {
      Authorization: `Ticket ${ticket}`,
      Origin: 'https://evil.example',
    });

    expect({ status, code: JSON.parse(body).code }).toStrictEqual({ status: 403, code: 'origin_refused' });
    expect(await recordInRedis(redis, id)).toMatchObject({ state: 'issued', last_attempt_outcome: 'origin_refused' });
  });

  // Elsewhere 127.0.0.1 is the only address of the loopback interface.
  test.skipIf(process.platform !== 'linux')('believe in X-Forwarded-For from nginx alone', async () => {
    const forged = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Host': 'evil.example' };
    const presentedFrom = async (localAddress: string, port: number): Promise<string | undefined> => {
      const { id, ticket } = await issue(nginx, 'ada');
      const client = await RawClient.send(port, upgradeRequest({ ticket, headers: forged }), { localAddress });
      expect((await client.outcome).kind).toBe('open');
      await client.destroy();
      return (await recordInRedis(redis, id)).last_attempt_address;
    };
    const gateway = fleet.gateways[0]?.port ?? 0;

    expect(await presentedFrom('127.0.0.3', nginx.port)).toBe('127.0.0.3');
    expect(await presentedFrom('127.0.0.2', gateway)).toBe('127.0.0.2');
    // From the address of nginx it does count: otherwise the two above would prove nothing.
    expect(await presentedFrom('127.0.0.1', gateway)).toBe('203.0.113.7');
  });

  test('close a connection that is revoked, whichever of them holds it', async () => {
    const opened = await Promise.all(
      Array.from({ length: 12 }, async () => openLikeABrowser(nginx, await issue(nginx, 'ada'))),
    );
    const holders = await Promise.all(opened.map(async ({ id }) => (await recordInRedis(redis, id)).gateway));
    expect(new Set(holders).size).toBe(3);

    const closes = opened.map(({ webSocket }) => once(webSocket, 'close'));
    for (const { id } of opened) {
      const headers = { Authorization: await bearer('ada') };
      const answer = await fetch(`http://127.0.0.1:${nginx.port}/tickets/${id}`, { method: 'DELETE', headers });
      expect(answer.status).toBe(204);
    }
    for (const [code, reason] of await Promise.all(closes)) {
      expect({ code, reason: String(reason) }).toStrictEqual({ code: 3003, reason: 'revoked' });
    }
  });

  test('leave no ticket and no credentials in the logs of nginx', async () => {
    const issued = await issue(nginx, 'ada');
    await refusedUpgrade(nginx, { Authorization: `Ticket ${issued.ticket}x` }, `/?ticket=${issued.ticket}`);
    const path = `/~${issued.id}/last`;
    await (await openLikeABrowser(nginx, issued, '/last')).webSocket.terminate();
    await until(() => nginx.output().includes(`"path":"${path}"`), { what: 'the last request is logged' });

    expect(nginx.output()).not.toContain('ogt_');
    expect(nginx.output()).not.toMatch(/bearer|eyJ/i);
  });
});

describe.skipIf(isMissing('redis') || isMissing('nginx'))('a gateway that hangs behind nginx', () => {
  test('is not replaced by another: the ticket is presented once', async () => {
    // The gateways wait for Redis longer than this test holds it up.
    const { redis, fleet, nginx } = await startTopology();
    const { id, ticket } = await issue(nginx, 'ada');

    // Redis holds the consume back, whichever gateway asks, until all of them hang.
    await redis.call('CLIENT', 'PAUSE', 15_000, 'WRITE');
    const answer = refusedUpgrade(nginx, { Authorization: `Ticket ${ticket}` });
    await until(async () => /flags=b.* cmd=eval/.test(String(await redis.call('CLIENT', 'LIST'))), {
      what: 'a consume is held back',
    });
    for (const gateway of fleet.gateways) gateway.signal('SIGSTOP');
    await redis.call('CLIENT', 'UNPAUSE');
    await until(async () => (await recordInRedis(redis, id)).state === 'open', { what: 'the ticket is consumed' });
    const holder = (await recordInRedis(redis, id)).gateway;
    const [hung, ...others] = [...fleet.gateways].sort((a) =>
      a.log.some(({ gateway }) => gateway === holder) ? -1 : 1,
    );
    for (const other of others) other.signal('SIGCONT');
    await hung?.stop();

    expect((await answer).status).toBe(502);
    expect(await recordInRedis(redis, id)).toMatchObject({ attempts: '1', last_attempt_gateway: holder });
    expect(others).toHaveLength(2);
    expect(await handshakesByOutcome(others)).toStrictEqual({});
  });
});

async function issue(nginx: Nginx, subject: string, wish: object = {}): Promise<IssuedTicket> {
  const answer = await fetch(`http://127.0.0.1:${nginx.port}/tickets`, {
    method: 'POST',
    headers: { Authorization: await bearer(subject), 'Content-Type': 'application/json' },
    body: JSON.stringify(wish),
  });
  expect(answer.status).toBe(201);
  return (await answer.json()) as IssuedTicket; // what the service answers with
}

/** Connects as the browser SDK does, from a page of the same site. */
async function openLikeABrowser(nginx: Nginx, { id, protocols }: IssuedTicket, path = '/') {
  const host = `127.0.0.1:${nginx.port}`;
  const webSocket = new WebSocket(`ws://${host}/~${id}${path}`, [...protocols], { origin: `http://${host}` });
  const [greeting] = await once(webSocket, 'message');
  return { id, webSocket, hello: JSON.parse(String(greeting)) as unknown };
}

interface PlainAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An upgrade that is expected to be refused, and what the client is told. */
function refusedUpgrade(nginx: Nginx, headers: Record<string, string>, path = '/'): Promise<PlainAnswer> {
  return new Promise((resolve, reject) => {
    const upgrade = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const asked = request({ host: '127.0.0.1', port: nginx.port, path, headers: { ...upgrade, ...headers } });
    asked.on('error', reject);
    asked.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('admitted'));
    });
    asked.on('response', async (response) => {
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    asked.end();
  });
}
