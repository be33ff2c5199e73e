import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { admitUpgrade } from '../../../../services/gateway/fronts/embed.ts';
import type { IssueRequest } from '../../../../shared/store/store.ts';
import { parseAnswers } from '../../../support/http/http-answer.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts';
import { embedGate } from '../../../support/services/embedded-gate.ts';
import {
  type InProcess,
  runGateway,
  runTicketService,
  type StoredTicket,
  storeTicket,
} from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';
import { clientFrame } from '../../../support/sockets/frames.ts';
import { exchange, openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket, openWithTicket, Refused } from '../../../support/sockets/web-socket.ts';

let redis: RedisServer;
let tickets: InProcess;

beforeAll(async () => {
  redis = await startRedis();
  tickets = await runTicketService({ REDIS_URL: redis.url });
});

const issue = (fields?: Partial<IssueRequest>): Promise<StoredTicket> => storeTicket(tickets.store, fields);

/** What the ticket service says of a ticket. */
const recordOf = async ({ id }: StoredTicket) => (await ask(tickets, `/tickets/${id}`)).body;

const settings = () => ({ REDIS_URL: redis.url });

interface Case {
  readonly name: string;
  readonly issue?: Partial<IssueRequest>;
  readonly bytes: (ticket: StoredTicket) => string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

const target = ({ value }: StoredTicket, path = '/') => `${path}?ticket=${value}`;

const refused: readonly Case[] = [
  { name: 'no ticket', bytes: () => upgradeRequest() },
  { name: 'a malformed ticket', bytes: () => upgradeRequest({ target: '/?ticket=ogt_' }) },
  { name: 'a wrong secret', bytes: ({ value }) => upgradeRequest({ target: `/?ticket=${value.slice(0, -4)}AAAA` }) },
  { name: 'another path', issue: { path: '/7' }, bytes: (ticket) => upgradeRequest({ target: target(ticket, '/8') }) },
  {
    name: 'another audience',
    issue: { audience: 'chat' },
    env: { GATEWAY_AUDIENCE: 'news' },
    bytes: (ticket) => upgradeRequest({ target: target(ticket) }),
  },
  {
    name: 'a page of another origin',
    bytes: (ticket) => upgradeRequest({ target: target(ticket), headers: { Origin: 'https://evil.example' } }),
  },
  { name: 'another version', bytes: () => upgradeRequest({ headers: { 'Sec-WebSocket-Version': '8' } }) },
  { name: 'another method', bytes: (ticket) => upgradeRequest({ method: 'POST', target: target(ticket) }) },
  {
    name: 'a frame before the 101',
    bytes: (ticket) =>
      Buffer.concat([Buffer.from(upgradeRequest({ target: target(ticket) })), clientFrame(1, 'early')]),
  },
  {
    name: 'two tickets',
    bytes: (ticket) => upgradeRequest({ target: target(ticket), headers: { Authorization: `Ticket ${ticket.value}` } }),
  },
  {
    name: 'a path that careless parsers take for a host',
    bytes: (ticket) => upgradeRequest({ target: target(ticket, '//') }),
  },
];

describe('a refused upgrade', () => {
  test.each(refused)('($name) is answered and recorded as by a gateway', async ({ bytes, issue: fields, env = {} }) => {
    const gateway = await runGateway({ REDIS_URL: redis.url, GATEWAY_ID: 'embedded', ...env });
    const embedded = await embedGate({ settings: { ...settings(), ...env } });
    const seen = await Promise.all(
      [gateway.port, embedded.port].map(async (port) => {
        const ticket = await issue(fields);
        const [answer] = await exchange(port, bytes(ticket));
        const headers = answer?.headers.filter(([name]) => name !== 'date');
        const { state, attempts, last_attempt, close } = await recordOf(ticket);
        const attempt = { ...(last_attempt as object | null), at: null }; // an object, or null
        return { ...answer, headers, body: answer?.body.replace(ticket.id, 'ID'), state, attempts, attempt, close };
      }),
    );

    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]?.statusLine).toMatch(/^HTTP\/1\.1 4/);
    expect(embedded.admitted).toEqual([]);
    expect(await embedded.gate.metrics.metrics()).toMatch(
      /^oncegate_handshakes_total\{outcome="(?!admitted)\w+"\} 1$/m,
    );
  });

  test('(a replay) names the ticket, which its first connection keeps', async () => {
    const { port } = await embedGate({ settings: settings() });
    const ticket = await issue();
    await openRawWith(port, ticket);
    const [answer] = await exchange(port, upgradeRequest({ target: target(ticket) }));

    expect(answer?.statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 'ticket_consumed', ticket_id: ticket.id });
    expect(await recordOf(ticket)).toMatchObject({ state: 'open', attempts: 2 });
  });

  test('(Redis away) is a 503', async () => {
    const away = await startRedis();
    const { port } = await embedGate({ settings: { REDIS_URL: away.url, REDIS_TIMEOUT_MS: '200' } });
    await away.stop();
    const [answer] = await exchange(port, upgradeRequest({ target: target(await issue()) }));

    expect(answer?.statusLine).toBe('HTTP/1.1 503 Service Unavailable');
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 'store_unavailable' });
  });
});

async function openRawWith(port: number, ticket: StoredTicket, headers: Record<string, string> = {}) {
  const client = await openRaw(port);
  client.send(upgradeRequest({ target: target(ticket), headers }));
  await until(() => client.received.includes('\r\n\r\n'), { what: 'an answer' });
  return client;
}

describe('an admitted upgrade', () => {
  test('tells the application who it is for', async () => {
    const { port, admitted, gate } = await embedGate({ settings: settings() });
    const ticket = await issue({ audience: 'chat', claims: '{"room":7}', clientClaims: '{"n":1}' });
    const client = await openRawWith(port, ticket);

    expect(client.received.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /);
    const expected = {
      ticketId: ticket.id,
      subject: 'ada',
      audience: 'chat',
      claims: { room: 7 },
      clientClaims: { n: 1 },
    };
    expect(admitted.map(({ admittance }) => admittance)).toEqual([expected]);
    expect(admitted[0]?.request.oncegate).toBe(admitted[0]?.admittance);
    expect(await recordOf(ticket)).toMatchObject({ state: 'open', gateway: 'embedded' });
    expect(await gate.metrics.metrics()).toMatch(/^oncegate_handshakes_total\{outcome="admitted"\} 1$/m);
  });

  test('has empty claims where the ticket was issued without', async () => {
    const { port, admitted } = await embedGate({ settings: settings() });
    await openRawWith(port, await issue());

    expect(admitted[0]?.admittance).toMatchObject({ claims: {}, clientClaims: {}, audience: undefined });
  });

  test.each([
    ['the query', (value: string) => ({ target: `/~AAAAAAAAAAAAAAAAAAAAAA/room?a=1&ticket=${value}&b=2` })],
    [
      'a subprotocol',
      (value: string) => ({
        target: '/room?a=1&b=2',
        headers: { 'sec-websocket-PROTOCOL': [`oncegate.v1, oncegate.ticket.${value}`, 'chat'] },
      }),
    ],
    [
      'Authorization',
      (value: string) => ({ target: '/room?a=1&b=2', headers: { AUTHORIZATION: `ticket  ${value}`, 'X-Kept': 'yes' } }),
    ],
  ])('has no ticket any more where it came in %s', async (_carrier, options) => {
    const { port, admitted } = await embedGate({ settings: settings() });
    const ticket = await issue();
    const client = await openRaw(port);
    client.send(upgradeRequest(options(ticket.value)));
    await until(() => admitted.length === 1);

    const { url, headers, rawHeaders, headersDistinct } = admitted[0]?.request ?? {};
    expect(url).toBe('/room?a=1&b=2');
    expect(JSON.stringify([url, headers, rawHeaders, headersDistinct])).not.toContain(ticket.value);
    expect(headers).toMatchObject({ host: 'gateway.example', 'sec-websocket-version': '13' });
    expect(rawHeaders).toContain('Sec-WebSocket-Key');
  });

  test('keeps an Authorization that is the application’s own', async () => {
    const { port, admitted } = await embedGate({ settings: settings() });
    await openRawWith(port, await issue(), { Authorization: 'Basic YTpi' });

    expect(admitted[0]?.request.headers.authorization).toBe('Basic YTpi');
    expect(admitted[0]?.request.rawHeaders).toContain('Basic YTpi');
  });

  test.each([
    [['oncegate.v1', 'TICKET', 'chat', 'news'], 'chat', 'chat, news, oncegate.v1'],
    [['chat', 'oncegate.v1', 'TICKET'], 'chat', 'chat, oncegate.v1'],
    [['oncegate.v1', 'TICKET'], 'oncegate.v1', 'oncegate.v1'],
  ])('with the subprotocols %j is answered with %s', async (offered, chosen, seen) => {
    const { port, admitted } = await embedGate({ settings: settings() });
    const { value } = await issue();
    const protocols = offered.map((protocol) => protocol.replace('TICKET', `oncegate.ticket.${value}`));
    const { socket } = await openWebSocket(`ws://127.0.0.1:${port}/`, { protocols });

    expect(socket.protocol).toBe(chosen);
    expect(admitted[0]?.request.headers['sec-websocket-protocol']).toBe(seen);
  });

  test('is answered without a subprotocol where the ticket alone was offered', async () => {
    const { port, admitted } = await embedGate({ settings: settings() });
    const ticket = await issue();
    const client = await openRaw(port);
    client.send(upgradeRequest({ headers: { 'Sec-WebSocket-Protocol': `oncegate.ticket.${ticket.value}` } }));
    await until(() => client.received.includes('\r\n\r\n'));

    expect(client.received.toString('latin1')).toMatch(/^HTTP\/1\.1 101 (?![\s\S]*protocol:)/i);
    expect(admitted[0]?.request.headers).not.toHaveProperty('sec-websocket-protocol');
  });

  test('lets several share a gate, each its own', async () => {
    const { port, sockets } = await embedGate({
      settings: settings(),
      speak: (socket, { oncegate }) => socket.send(String(oncegate?.subject)),
    });
    const subjects = Array.from({ length: 20 }, (_, index) => `subject-${index}`);
    const clients = await Promise.all(
      subjects.map(async (subject) => openWithTicket(port, (await issue({ subject })).value)),
    );

    expect(clients.map(({ messages }) => messages)).toEqual(subjects.map((subject) => [subject]));
    expect(sockets).toHaveLength(20);
  });

  test('is refused where a request on the same socket is still being answered', async () => {
    const { port, server, admitted } = await embedGate({ settings: settings() });
    server.removeAllListeners('request');
    const client = await openRaw(port);
    server.on('request', (_request, response) => void client.closed.then(() => response.end('late')));
    client.send(`GET / HTTP/1.1\r\nHost: x\r\n\r\n${upgradeRequest({ target: target(await issue()) })}`);
    await client.closed;

    expect(client.received.toString('latin1')).toContain('handshake_malformed');
    expect(admitted).toEqual([]);
  });

  test('may come on a socket whose earlier requests have been answered', async () => {
    const { port } = await embedGate({ settings: settings() });
    const client = await openRaw(port);
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => client.received.includes('plain'));
    client.send(upgradeRequest({ target: target(await issue()) }));

    await until(() => client.received.includes('HTTP/1.1 101 '));
  });
});

/** The way of a request there and back: what was sent before it has been read by then. */
async function turn(port: number): Promise<void> {
  await exchange(port, upgradeRequest({ headers: { 'Sec-WebSocket-Version': '8' } }));
}

describe('what a client does too soon', () => {
  test('frames that come while the store is asked are malformed', async () => {
    const { port, admitted } = await embedGate({ settings: settings() });
    const ticket = await issue();
    await redis.pause();
    const client = await openRaw(port);
    client.send(upgradeRequest({ target: target(ticket) }));
    await turn(port);
    client.send(clientFrame(1, 'early'));
    await turn(port);
    redis.resume();
    await client.closed;

    const [answer] = parseAnswers(client.received);
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 'handshake_malformed', ticket_id: ticket.id });
    expect(await recordOf(ticket)).toMatchObject({
      state: 'refused',
      last_attempt: { outcome: 'handshake_malformed' },
    });
    expect(admitted).toEqual([]);
  });

  test('a client that goes away meanwhile leaves nothing behind', async () => {
    const { port, admitted, server } = await embedGate({ settings: settings() });
    const ticket = await issue();
    await redis.pause();
    const client = await openRaw(port);
    client.send(upgradeRequest({ target: target(ticket) }));
    await turn(port);
    client.socket.resetAndDestroy();
    await client.closed;
    await turn(port);
    redis.resume();

    await until(async () => (await recordOf(ticket)).state === 'closed');
    expect(await recordOf(ticket)).toMatchObject({ close: { code: 1006, reason: 'client_gone' } });
    expect(admitted).toEqual([]);
    await until(() => new Promise((resolve) => server.getConnections((_error, count) => resolve(count === 0))));
  });
});

test('wrong settings are named, all of them', () => {
  expect(() => admitUpgrade({ settings: { HEARTBEAT_SECONDS: 'often', REDIS_URL: 'http://redis' } })).toThrowError(
    /^oncegate is not configured well:\n(?=[\s\S]*HEARTBEAT_SECONDS)(?=[\s\S]*REDIS_URL)/,
  );
});

test('a gate in front of several servers lets each have its own', async () => {
  const { port, server, gate } = await embedGate({ settings: settings(), answer: () => {} });
  const [chat, news] = [new WebSocketServer({ noServer: true }), new WebSocketServer({ noServer: true })];
  server.removeAllListeners('upgrade');
  server.on('upgrade', async (request, socket, head) => {
    if (!(await gate(request, socket, head))) return;
    const name = request.url?.startsWith('/chat') ? 'chat' : 'news';
    (name === 'chat' ? chat : news).handleUpgrade(request, socket, head, (webSocket) => webSocket.send(name));
  });
  for (const name of ['chat', 'news']) {
    const { value } = await issue();
    const client = await openWebSocket(`ws://127.0.0.1:${port}/${name}?ticket=${value}`);
    await until(() => client.messages.length === 1);
    expect(client.messages).toEqual([name]);
  }
  await expect(openWebSocket(`ws://127.0.0.1:${port}/chat`)).rejects.toBeInstanceOf(Refused);
});
