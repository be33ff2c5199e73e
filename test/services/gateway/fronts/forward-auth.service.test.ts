import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { CARRIERS, carrierRow } from '../../../../shared/ticket/carriers.ts';
import { type HttpReply, httpRequest } from '../../../support/http/http-request.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { type InProcess, runGateway, type StoredTicket, storeTicket } from '../../../support/services/in-process.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { openWithTicket } from '../../../support/sockets/web-socket.ts';
import { askingProxies, handshakeHeaders, UPGRADE } from './asking-proxies.ts';

const CLIENT = '203.0.113.7';

let gateway: InProcess;

beforeAll(async () => {
  gateway = await runGateway({ TRUST_PROXY: '127.0.0.1' });
});

interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly from?: string;
}

/** Asks as a proxy that names the target in `X-Forwarded-Uri` does, unless the question says otherwise. */
function ask({ path = '/admit', ...options }: Question, at = gateway): Promise<HttpReply> {
  return httpRequest(at.adminPort, path, options);
}

/** A good question: of a client that carries its ticket in the query. */
function withTicket({ value }: StoredTicket, headers: Readonly<Record<string, string>> = {}): Question {
  return { headers: { ...handshakeHeaders(), 'X-Forwarded-Uri': `/?ticket=${value}`, ...headers } };
}

/** The headers of a reply that a proxy goes by. */
function told({ headers }: HttpReply): Record<string, unknown> {
  const names = Object.keys(headers).filter(
    (name) => name.startsWith('oncegate-') || name === 'sec-websocket-protocol',
  );
  return Object.fromEntries(names.map((name) => [name, headers[name]]));
}

async function attemptsOf({ id }: StoredTicket): Promise<number | undefined> {
  return (await gateway.store.read(id))?.attempts;
}

/** What the record says of the last attempt with a ticket that was not spent by it. */
async function notedOn({ id }: StoredTicket) {
  const record = await gateway.store.read(id);
  expect(record).toMatchObject({ state: 'issued', attempts: 1 });
  return record?.lastAttempt;
}

describe.each(askingProxies)('asked by $name', ({ question }) => {
  test('answers exactly 200 with the complete set of headers, and the record ends as handed over', async () => {
    const ticket = await storeTicket(gateway.store, {
      path: '/room/7',
      claims: '{"role":"editor"}',
      clientClaims: '{"n":1}',
    });
    const protocols = `oncegate.v1, oncegate.ticket.${ticket.value}, chat, chat.v2`;
    const reply = await ask(
      question({
        target: `/~${ticket.id}/room/7?a=%20b&c`,
        client: CLIENT,
        headers: { 'Sec-WebSocket-Protocol': protocols },
      }),
    );

    expect(reply.status).toBe(200);
    expect(reply.text).toBe('');
    expect(told(reply)).toStrictEqual({
      'oncegate-subject': 'ada',
      'oncegate-ticket-id': ticket.id,
      'oncegate-claims': Buffer.from('{"role":"editor"}').toString('base64url'),
      'oncegate-client-claims': Buffer.from('{"n":1}').toString('base64url'),
      'oncegate-identity': '',
      'oncegate-uri': '/room/7?a=%20b&c',
      'oncegate-protocols': 'chat, chat.v2',
      'oncegate-default-protocol': 'oncegate.v1',
      'sec-websocket-protocol': 'oncegate.v1, chat, chat.v2',
    });
    expect(reply.headers['cache-control']).toBe('no-store');
    const record = await until(async () => {
      const found = await gateway.store.read(ticket.id);
      return found?.state === 'handed_over' && found;
    });
    expect(record).toMatchObject({
      attempts: 1,
      lastAttempt: { outcome: 'admitted', address: CLIENT, origin: 'http://app.example' },
    });
  });

  test('refuses a ticket that was spent, with the challenge and the problem document', async () => {
    const ticket = await storeTicket(gateway.store);
    const asked = question({ target: `/?ticket=${ticket.value}`, client: CLIENT });
    expect((await ask(asked)).status).toBe(200);

    const reply = await ask(asked);

    const passesStatuses = asked.headers['Oncegate-Deny-With'] === undefined;
    expect(reply.status).toBe(passesStatuses ? 401 : 403);
    expect(told(reply)).toMatchObject({ 'oncegate-status': '401', 'oncegate-code': 'ticket_consumed' });
    expect(reply.headers['www-authenticate']).toBe('Ticket realm="oncegate", error="ticket_consumed"');
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(reply.headers['cache-control']).toBe('no-store');
    if (asked.method !== 'HEAD') {
      expect(reply.body).toMatchObject({ code: 'ticket_consumed', status: 401, ticket_id: ticket.id });
    }
    if (!passesStatuses) expect(reply.headers['oncegate-problem']).toBe(reply.text);
  });

  test('spends nothing on a request that is no upgrade', async () => {
    const ticket = await storeTicket(gateway.store);
    const asked = question({ target: `/?ticket=${ticket.value}`, client: CLIENT, isUpgrade: false });

    const reply = await ask(asked);

    expect(reply.headers['oncegate-status']).toBe('426');
    expect((await gateway.store.read(ticket.id))?.state).toBe('issued');
  });
});

test.each(CARRIERS)('takes a ticket from the carrier %s', async (carrier) => {
  const { value } = await storeTicket(gateway.store);
  const { header, write } = carrierRow(carrier);
  const headers = {
    ...handshakeHeaders(),
    'X-Forwarded-Uri': header === undefined ? `/a?x=1&${write(value)}&y=2` : '/a?x=1&y=2',
    ...(header !== undefined && { [header]: write(value) }),
  };

  const reply = await ask({ headers });

  expect(reply.status).toBe(200);
  // Without oncegate.v1 among the offered ones there is no protocol to answer with.
  expect(told(reply)).toMatchObject({
    'oncegate-uri': '/a?x=1&y=2',
    'oncegate-protocols': '',
    'oncegate-default-protocol': '',
  });
  expect(reply.headers['sec-websocket-protocol']).toBeUndefined();
  expect(JSON.stringify(reply.headers)).not.toContain('ogt_');
});

test('signs the identity where there is a key', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = temporaryFile(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const signing = await runGateway({ TRUST_PROXY: '127.0.0.1', IDENTITY_JWT_KEY_FILE: key });
  const ticket = await storeTicket(signing.store, { subject: 'grace' });

  const reply = await ask(withTicket(ticket), signing);

  expect(decodeJwt(String(reply.headers['oncegate-identity']))).toMatchObject({ sub: 'grace', jti: ticket.id });
});

test('lets one of many that ask at once about the same ticket through', async () => {
  const ticket = await storeTicket(gateway.store);

  const replies = await Promise.all(Array.from({ length: 20 }, () => ask(withTicket(ticket))));

  expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(401)]);
  expect(await attemptsOf(ticket)).toBe(20);
});

test.each([
  ['an ordinary request', {}],
  ['the upgrade as it was', UPGRADE],
])('hands nothing over to a proxy that has given up waiting, where it asked with %s', async (_, upgrade) => {
  const redis = await startRedis();
  const slow = await runGateway({ TRUST_PROXY: '127.0.0.1', REDIS_URL: redis.url });
  const ticket = await storeTicket(slow.store);
  const { headers = {} } = withTicket(ticket, upgrade);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  await redis.pause();
  const proxy = await openRaw(slow.adminPort);
  proxy.send(`GET /admit HTTP/1.1\r\n${lines.join('')}\r\n`);
  proxy.socket.end();
  // The gateway closes its side as soon as it sees that the other one is closed: it has by then asked Redis.
  await proxy.closed;
  redis.resume();

  const record = await until(async () => {
    const found = await slow.store.read(ticket.id);
    return found?.state === 'closed' && found;
  });
  expect(record).toMatchObject({ closeCode: 1006, closeReason: 'client_gone', attempts: 1 });
});

test('notes nothing for a proxy that has taken its question back by a reset', async () => {
  const ticket = await storeTicket(gateway.store);
  const { headers = {} } = withTicket(ticket);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const proxy = await openRaw(gateway.adminPort);
  // Both have arrived by the time that the gateway reads the first of them.
  proxy.send(`GET /admit HTTP/1.1\r\n${lines.join('')}\r\n`);
  proxy.socket.resetAndDestroy();
  await httpRequest(gateway.adminPort, '/livez', {});

  expect(await attemptsOf(ticket)).toBe(0);
});

describe('a client over HTTP/2 (RFC 8441)', () => {
  const { 'Sec-WebSocket-Key': _, ...withoutKey } = handshakeHeaders();

  test.each([
    ['as HAProxy and Envoy tell it', { 'X-Original-Method': 'GET', Upgrade: 'websocket' }],
    ['by its own method', { 'X-Original-Method': 'CONNECT' }],
    ['by its own method and protocol', { 'X-Forwarded-Method': 'CONNECT', Upgrade: 'websocket' }],
  ])('is admitted without Sec-WebSocket-Key, %s', async (_name, headers) => {
    const ticket = await storeTicket(gateway.store);

    const reply = await ask({
      headers: { ...withoutKey, 'X-Original-URI': '/', Authorization: `Ticket ${ticket.value}`, ...headers },
    });

    expect(reply.status).toBe(200);
  });

  test.each([
    ['a tunnel to another host', 'CONNECT', 'evil.example:443', 405],
    ['another method', 'POST', '/', 405],
  ])('is refused with %s', async (_name, method, target, status) => {
    const headers = { ...withoutKey, 'X-Original-URI': target, 'X-Original-Method': method };

    expect((await ask({ headers })).status).toBe(status);
  });
});

describe('a client behind the proxy', () => {
  test.each([
    ['X-Original-URI', '/public'],
    ['x-original-uri', '/public'],
    ['X-Original-Method', 'POST'],
  ])('has no say by %s', async (name, value) => {
    const ticket = await storeTicket(gateway.store, { path: '/public' });

    const reply = await ask({
      headers: {
        ...handshakeHeaders(),
        'X-Forwarded-Uri': '/secret',
        'X-Forwarded-Method': 'GET',
        Authorization: `Ticket ${ticket.value}`,
        [name]: value,
      },
    });

    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({ code: 'handshake_malformed', ticket_id: ticket.id });
    expect(await notedOn(ticket)).toMatchObject({ outcome: 'handshake_malformed', status: 400 });
  });

  test.each(['/%61dmin', '/x/..;/admin', '/admin%2fx', '//admin', '/%c0%af'])(
    'has none by %s, which has two readings',
    async (path) => {
      const ticket = await storeTicket(gateway.store, {});

      const reply = await ask(withTicket(ticket, { 'X-Forwarded-Uri': `${path}?ticket=${ticket.value}` }));

      expect(reply.status).toBe(400);
      expect(reply.body).toMatchObject({ code: 'handshake_malformed', ticket_id: ticket.id });
      expect(await notedOn(ticket)).toMatchObject({ outcome: 'handshake_malformed' });
    },
  );

  test('has none by a header that is there twice, nor against a path that the proxy asks with', async () => {
    const ticket = await storeTicket(gateway.store, { path: '/public' });
    const headers = { ...handshakeHeaders(), Authorization: `Ticket ${ticket.value}` };

    const twice = await ask({ headers: { ...headers, 'X-Forwarded-Uri': ['/public', '/secret'] } });
    const behind = await ask({ path: '/admit/secret', headers: { ...headers, 'X-Forwarded-Uri': '/public' } });

    expect([twice.status, behind.status]).toEqual([400, 400]);
    expect(await gateway.store.read(ticket.id)).toMatchObject({ state: 'issued', attempts: 2 });
  });

  test('may name what the proxy names too', async () => {
    const ticket = await storeTicket(gateway.store);
    const target = `/?ticket=${ticket.value}`;

    const reply = await ask(withTicket(ticket, { 'X-Original-URI': target }));

    expect(reply.status).toBe(200);
  });
});

test('answers nobody but the proxies in TRUST_PROXY, whose address the record has', async () => {
  const ticket = await storeTicket(gateway.store);

  const reply = await ask({ ...withTicket(ticket, { 'X-Forwarded-For': CLIENT }), from: '127.0.0.2' });

  expect(reply.status).toBe(400);
  expect(reply.body.detail).toContain('TRUST_PROXY');
  expect(await notedOn(ticket)).toMatchObject({ outcome: 'handshake_malformed', address: '127.0.0.2' });
});

test.each([
  [
    'in a target that contradicts another',
    (value: string) => ({ headers: { 'X-Forwarded-Uri': '/', 'X-Original-URI': `/a?ticket=${value}` } }),
  ],
  ['in the query that it asks with', (value: string) => ({ path: `/admit?ticket=${value}` })],
  [
    'in a path that contradicts',
    (value: string) => ({ path: `/admit/a?ticket=${value}`, headers: { 'X-Forwarded-Uri': '/' } }),
  ],
  ['in a subprotocol', (value: string) => ({ headers: { 'Sec-WebSocket-Protocol': `oncegate.ticket.${value}` } })],
])('notes what a proxy got wrong on the record of a ticket %s, with the address of the client', async (_, question) => {
  const ticket = await storeTicket(gateway.store);
  const asked: Question = question(ticket.value);

  const reply = await ask({
    ...asked,
    headers: { ...handshakeHeaders(), 'X-Forwarded-For': CLIENT, ...asked.headers },
  });

  expect(reply.status).toBe(400);
  expect(await notedOn(ticket)).toMatchObject({ outcome: 'handshake_malformed', address: CLIENT });
});

test('notes nothing by an id with a wrong secret', async () => {
  const ticket = await storeTicket(gateway.store);
  const wrong = { ...ticket, value: `ogt_${ticket.id}.${'x'.repeat(32)}` };

  await ask({ ...withTicket(wrong), from: '127.0.0.2' });
  await ask({ ...withTicket(wrong), method: 'POST' });

  expect(await attemptsOf(ticket)).toBe(0);
});

test('ends the connection that it was asked on, where the proxy would keep it', async () => {
  const ticket = await storeTicket(gateway.store);

  const admitted = await ask(withTicket(ticket, { Connection: 'keep-alive' }));
  const refused = await ask(withTicket(ticket, { Connection: 'keep-alive' }));

  expect([admitted.status, refused.status]).toEqual([200, 401]);
  expect([admitted.headers.connection, refused.headers.connection]).toEqual(['close', 'close']);
});

test('refuses whoever asks without saying what about', async () => {
  const ticket = await storeTicket(gateway.store);

  const reply = await ask({ headers: { ...handshakeHeaders(), Authorization: `Ticket ${ticket.value}` } });

  expect(reply.status).toBe(400);
  expect(reply.body.detail).toContain('X-Original-URI');
  expect(await notedOn(ticket)).toMatchObject({ outcome: 'handshake_malformed' });
});

test('has no answer to other methods', async () => {
  const ticket = await storeTicket(gateway.store);

  const reply = await ask({ ...withTicket(ticket), method: 'POST' });

  expect(reply.status).toBe(405);
  expect(reply.headers.allow).toBe('GET, HEAD');
  expect(await notedOn(ticket)).toMatchObject({ outcome: 'method_not_allowed', status: 405 });
});

test.each([
  ['Origin', { Origin: 'https://evil.example' }, 403, 'origin_refused'],
  ['path', { 'X-Forwarded-Uri': '/elsewhere' }, 403, 'path_refused'],
  ['version', { 'Sec-WebSocket-Version': '8' }, 426, 'upgrade_required'],
  ['Upgrade', { Connection: 'Upgrade', Upgrade: 'h2c' }, 426, 'upgrade_required'],
  ['method', { 'X-Forwarded-Method': 'POST' }, 405, 'method_not_allowed'],
])('refuses a wrong %s', async (_, headers, status, code) => {
  const ticket = await storeTicket(gateway.store, { path: '/' });
  const asked: Question = {
    headers: { ...handshakeHeaders(), 'X-Forwarded-Uri': '/', Authorization: `Ticket ${ticket.value}`, ...headers },
  };

  const reply = await ask(asked);
  const another = await storeTicket(gateway.store, { path: '/' });
  const withHeaders = await ask({
    headers: { ...asked.headers, Authorization: `Ticket ${another.value}`, 'Oncegate-Deny-With': '403' },
  });

  expect(reply.status).toBe(status);
  expect(reply.body.code).toBe(code);
  expect(withHeaders.status).toBe(403);
  expect(withHeaders.headers).toMatchObject({ 'oncegate-status': String(status), 'oncegate-code': code });
  expect(JSON.parse(String(withHeaders.headers['oncegate-problem']))).toEqual(withHeaders.body);
});

test('takes the host that the client asked for from X-Forwarded-Host', async () => {
  const ticket = await storeTicket(gateway.store);

  const reply = await ask(
    withTicket(ticket, {
      Host: 'gateway.internal:9081',
      'X-Forwarded-Host': 'app.example',
      Origin: 'http://app.example',
    }),
  );

  expect(reply.status).toBe(200);
});

test('reads as many headers as the public port does', async () => {
  const ticket = await storeTicket(gateway.store);

  const reply = await ask(withTicket(ticket, { Cookie: `a=${'x'.repeat(31_000)}` }));

  expect(reply.status).toBe(200);
});

test('counts as many admissions and refusals as it made', async () => {
  const counting = await runGateway({ TRUST_PROXY: '127.0.0.1' });
  const ticket = await storeTicket(counting.store);
  await ask(withTicket(ticket), counting);
  await ask(withTicket(ticket), counting);
  await ask({ ...withTicket(ticket), from: '127.0.0.2' }, counting);

  const counts = await counting.series('oncegate_handshakes_total');

  expect(counts['oncegate_handshakes_total{outcome="admitted"}']).toBe(1);
  expect(counts['oncegate_handshakes_total{outcome="ticket_consumed"}']).toBe(1);
  expect(counts['oncegate_handshakes_total{outcome="handshake_malformed"}']).toBe(1);
  expect(counting.log.filter(({ event }) => event === 'replay')).toHaveLength(1);
});

test('refuses everybody while it drains', async () => {
  const leaving = await runGateway({ TRUST_PROXY: '127.0.0.1', DRAIN_SECONDS: '30' });
  const ticket = await storeTicket(leaving.store);
  await openWithTicket(leaving.port, (await storeTicket(leaving.store)).value);
  void leaving.service.drain();

  const reply = await ask(withTicket(ticket), leaving);

  expect(reply.status).toBe(503);
  expect(reply.headers['retry-after']).toBe('2');
  expect(told(reply)).toMatchObject({ 'oncegate-status': '503', 'oncegate-code': 'draining' });
});
