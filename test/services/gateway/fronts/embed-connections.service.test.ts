import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import type { IssueRequest } from '../../../../shared/store/store.ts';
import { splitHead } from '../../../support/http/http-answer.ts';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, startRedis, workerRedis } from '../../../support/redis/redis.ts';
import { type EmbeddedGate, embedGate } from '../../../support/services/embedded-gate.ts';
import {
  type InProcess,
  runTicketService,
  type StoredTicket,
  storeTicket,
} from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';
import { clientFrame, closeOf, type ReceivedFrame, strictFrames } from '../../../support/sockets/frames.ts';
import { openRaw, type RawClient } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';

let redis: SharedRedis;
let tickets: InProcess;

beforeAll(async () => {
  redis = await workerRedis();
  tickets = await runTicketService({ REDIS_URL: redis.url });
});

type Embedded = EmbeddedGate<Readonly<Record<string, unknown>>>;
type Options = Parameters<typeof embedGate<Readonly<Record<string, unknown>>>>[0];

const embed = ({ settings, ...options }: Options = {}): Promise<Embedded> =>
  embedGate({ settings: { REDIS_URL: redis.url, ...settings }, ...options });

const issue = (fields?: Partial<IssueRequest>): Promise<StoredTicket> => storeTicket(tickets.store, fields);
const recordOf = async ({ id }: StoredTicket) => (await ask(tickets, `/tickets/${id}`)).body;
const revoke = ({ id }: StoredTicket) => ask(tickets, `/tickets/${id}`, { method: 'DELETE' });
const urlOf = ({ port }: Embedded, { value }: StoredTicket): string => `ws://127.0.0.1:${port}/?ticket=${value}`;

/** How the record says that a connection ended, once it does. */
async function endOf(ticket: StoredTicket): Promise<unknown> {
  await until(async () => (await recordOf(ticket)).closed_at !== null, {
    what: 'the end on record',
  });
  return (await recordOf(ticket)).close;
}

const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

/** Opens a connection of which every byte is looked at. It answers nothing by itself. */
async function openMute({ port }: Embedded, ticket: StoredTicket, headers = {}): Promise<RawClient> {
  const client = await openRaw(port);
  client.send(upgradeRequest({ target: `/?ticket=${ticket.value}`, headers }));
  await until(() => client.received.includes('\r\n\r\n'), { what: 'the 101' });
  return client;
}

/** Everything behind the 101, which a strict client has to accept. */
function framesOf(client: RawClient): ReceivedFrame[] {
  const { head, behind } = splitHead(client.received);
  expect(head.statusLine).toBe('HTTP/1.1 101 Switching Protocols');
  return strictFrames(behind, { compressed: head.headers.some(([name]) => name === 'sec-websocket-extensions') });
}

/** Messages in one turn of the event loop. A write to a broken socket fails at once, and the socket knows it a turn later. */
const MESSAGES_A_TURN = 200;

/** Sends without a pause, a bounded number of bytes ahead of the client, until the socket is gone. */
function talk(socket: WebSocket, aheadBytes: number): void {
  const next = (): void => {
    for (let sent = 0; sent < MESSAGES_A_TURN && socket.bufferedAmount < aheadBytes; sent += 1) {
      // Long and short, compressible and not; each in two fragments, between which only a control frame may come.
      const text = randomBytes(1 + Math.floor(Math.random() * 2_000))
        .toString('hex')
        .replace(/[0-7]/g, '0');
      socket.send(text.slice(0, 10), { fin: false });
      socket.send(text.slice(10), { fin: true });
    }
    if (socket.readyState === socket.OPEN) setImmediate(next);
  };
  next();
}

/** Reads until the Close frame with this reason is there, answers it, and waits for the end. */
async function answerClose(client: RawClient, [code, reason]: readonly [code: number, reason: string]): Promise<void> {
  const status = Buffer.from([code >> 8, code & 0xff]);
  const wanted = Buffer.concat([status, Buffer.from(reason)]);
  await until(() => client.received.subarray(-64).includes(wanted), { what: 'a Close frame' });
  client.send(clientFrame(8, status));
  await client.closed;
}

interface Ending {
  readonly name: string;
  readonly close: readonly [code: number, reason: string];
  readonly settings?: Readonly<Record<string, string>>;
  readonly issue?: Partial<IssueRequest>;
  readonly cause?: (embedded: Embedded, ticket: StoredTicket) => unknown;
}

/** No ping comes by itself, however long a busy machine takes. */
const NO_HEARTBEAT = { HEARTBEAT_SECONDS: '600', LEASE_SECONDS: '900' };

const endings: readonly Ending[] = [
  { name: 'a revocation', close: [3003, 'revoked'], cause: (_embedded, ticket) => revoke(ticket) },
  {
    name: 'a newer connection in its place',
    close: [3003, 'replaced'],
    settings: { MAX_CONNECTIONS_PER_SUBJECT: '1', CONNECTION_LIMIT_POLICY: 'replace' },
    cause: async (embedded) => openMute(embedded, await issue()),
  },
  { name: 'the end of the session', close: [3000, 'session_expired'], issue: { maxSessionMs: 1_000 } },
  { name: 'silence', close: [3008, 'heartbeat_missed'], settings: { HEARTBEAT_SECONDS: '1' } },
  {
    name: 'close()',
    close: [1012, 'draining;spread_seconds=0'],
    cause: ({ gate }) => void gate.close(),
  },
];

describe.each([
  ['plain', false],
  ['with permessage-deflate', true],
] as const)('while the application sends without a pause, %s,', (_name, compressed) => {
  test.each(endings)('$name comes between two frames, and nothing behind it', async (ending) => {
    const quiet = ending.name === 'silence';
    const embedded = await embed({
      settings: { ...NO_HEARTBEAT, ...ending.settings },
      ws: { perMessageDeflate: compressed && { threshold: 0 } },
      speak: (socket) => talk(socket, quiet ? 1 : 200_000),
    });
    const ticket = await issue(ending.issue);
    const client = await openMute(embedded, ticket, compressed ? DEFLATE : {});
    // What comes by itself may come before much has been sent.
    const enough = ending.cause === undefined ? 1_000 : 100_000;
    await until(() => client.received.length > enough);
    await ending.cause?.(embedded, ticket);
    await answerClose(client, ending.close);

    const frames = framesOf(client);
    expect(closeOf(frames.at(-1))).toEqual(ending.close);
    expect(frames.filter(({ opcode }) => opcode === 9).length).toBe(quiet ? 1 : 0);
    expect(frames.filter(({ opcode }) => opcode === 0).length).toBeGreaterThan(0);
    const [code, reason] = ending.close;
    const recorded = { code, reason: reason.replace(/;.*/, '') };
    expect(await endOf(ticket)).toEqual(recorded);
  });

  test('a client gets each message whole, and the reason at the end', async () => {
    const sent: string[] = [];
    const embedded = await embed({
      ws: { perMessageDeflate: compressed && { threshold: 0 } },
      speak: (socket) => {
        for (let index = 0; index < 500; index += 1) {
          sent.push(`${index} ${'x'.repeat(index * 10)}`);
          socket.send(String(sent.at(-1)));
        }
      },
    });
    const ticket = await issue();
    const client = await openWebSocket(urlOf(embedded, ticket), { perMessageDeflate: compressed });
    const ended = new Promise((resolve) => embedded.sockets[0]?.on('close', (...args) => resolve(args.map(String))));
    await until(() => client.messages.length === 500);
    await revoke(ticket);

    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
    expect(client.messages).toEqual(sent);
    expect(client.socket.extensions).toBe(compressed ? 'permessage-deflate' : '');
    // The application's own library hears it from the client's answer.
    expect(await ended).toEqual(['3003', 'revoked']);
  });
});

describe('a heartbeat', () => {
  test('is answered by a client that is alive, which stays', async () => {
    const embedded = await embed({ settings: { HEARTBEAT_SECONDS: '1' } });
    const ticket = await issue();
    const client = await openWebSocket(urlOf(embedded, ticket));
    let pings = 0;
    client.socket.on('ping', () => {
      pings += 1;
    });
    await until(() => pings === 3);

    expect(client.closedAt()).toBeUndefined();
    expect(await recordOf(ticket)).toMatchObject({ state: 'open' });
  });

  test('does not count against a client that the application does not read', async () => {
    const embedded = await embed({ settings: { HEARTBEAT_SECONDS: '1' } });
    const [paused, mute] = [await issue(), await issue()];
    const client = await openWebSocket(urlOf(embedded, paused));
    embedded.sockets[0]?.pause();
    await openMute(embedded, mute);

    expect(await endOf(mute)).toEqual({ code: 3008, reason: 'heartbeat_missed' });
    expect(client.closedAt()).toBeUndefined();
    expect(await recordOf(paused)).toMatchObject({ state: 'open' });
  });

  test('does not come behind the Close frame of the application', async () => {
    const embedded = await embed({ settings: { HEARTBEAT_SECONDS: '1' } });
    const ticket = await issue();
    const client = await openMute(embedded, ticket);
    embedded.sockets[0]?.close(4_001, 'bye');
    await client.closed;

    expect(framesOf(client).map(closeOf)).toEqual([[4_001, 'bye']]);
    expect(await endOf(ticket)).toEqual({ code: 4_001, reason: 'bye' });
  });

  test('ends what the application never answers', async () => {
    const embedded = await embed({ settings: { HEARTBEAT_SECONDS: '1' }, answer: () => {} });
    const ticket = await issue();
    const client = await openRaw(embedded.port);
    client.send(upgradeRequest({ target: `/?ticket=${ticket.value}` }));
    await client.closed;

    expect(client.received).toHaveLength(0);
    // No ping was sent: it is not the client that was silent.
    expect(await endOf(ticket)).toEqual({ code: 1013, reason: 'upstream_lost' });
  });

  test('comes behind a long message that a slow client is in the middle of, which stays', async () => {
    const embedded = await embed({ settings: { HEARTBEAT_SECONDS: '1' } });
    const ticket = await issue();
    const client = await openMute(embedded, ticket);
    // A reader that takes a megabyte of it every 100 ms, for longer than two heartbeats.
    let taken = 0;
    let allowed = 0;
    client.socket.pause().on('data', ({ length }: Buffer) => {
      taken += length;
      if (taken > allowed) client.socket.pause();
    });
    embedded.sockets[0]?.send(Buffer.alloc(60_000_000));
    const pace = setInterval(() => {
      allowed = taken + 1_000_000;
      client.socket.resume();
    }, 100);
    await until(() => taken > 35_000_000 || client.socket.destroyed, { what: 'half of it' });
    clearInterval(pace);
    allowed = Number.POSITIVE_INFINITY;
    client.socket.resume();
    await until(() => taken > 60_000_000 && client.received.subarray(-2).equals(Buffer.from([0x89, 0])), {
      what: 'the ping',
    });
    client.send(clientFrame(10));

    expect(framesOf(client).map(({ opcode, payload }) => [opcode, payload.length])).toEqual([
      [2, 60_000_000],
      [9, 0],
    ]);
    expect(await recordOf(ticket)).toMatchObject({ state: 'open' });
  });

  test('ends a client that takes nothing of a long message, as one that does not read', async () => {
    const embedded = await embed({ settings: { HEARTBEAT_SECONDS: '1' } });
    const ticket = await issue();
    const client = await openMute(embedded, ticket);
    client.socket.pause();
    embedded.sockets[0]?.send(Buffer.alloc(60_000_000));

    expect(await endOf(ticket)).toEqual({ code: 1008, reason: 'slow_consumer' });
  });
});

describe('a renewal', () => {
  test('moves the end of the session, of this connection alone', async () => {
    const embedded = await embed();
    const [renewed, left] = await Promise.all([issue({ maxSessionMs: 2_000 }), issue({ maxSessionMs: 2_000 })]);
    const client = await openWebSocket(urlOf(embedded, renewed));
    const other = await openWebSocket(urlOf(embedded, left));
    expect((await ask(tickets, `/tickets/${renewed.id}/renew`, { method: 'POST' })).status).toBe(200);

    expect(await other.closed).toEqual({ code: 3000, reason: 'session_expired' });
    expect(client.closedAt()).toBeUndefined();
    expect(await recordOf(renewed)).toMatchObject({ state: 'open' });
  });
});

describe('the record tells how it ended', () => {
  test.each([
    ['the application closes', (_client: WebSocket, server?: WebSocket) => server?.close(4_001, 'bye'), 4_001, 'bye'],
    ['the client closes', (client: WebSocket) => client.close(4_002, 'enough'), 4_002, 'enough'],
    ['the client closes without a code', (client: WebSocket) => client.close(), 1_005, ''],
    ['the client is gone', (client: WebSocket) => client.terminate(), 1_006, ''],
    ['the application lets go', (_client: WebSocket, server?: WebSocket) => server?.terminate(), 1_006, ''],
  ])('where %s', async (_name, end, code, reason) => {
    const embedded = await embed();
    const ticket = await issue();
    const { socket } = await openWebSocket(urlOf(embedded, ticket));
    end(socket, embedded.sockets[0]);

    expect(await endOf(ticket)).toEqual({ code, reason });
  });

  test('where the application answers with something else', async () => {
    const embedded = await embed({
      answer: (_request, socket) => void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
    });
    const ticket = await issue();
    const client = await openRaw(embedded.port);
    client.send(upgradeRequest({ target: `/?ticket=${ticket.value}` }));
    client.socket.on('end', () => client.socket.end());

    expect(await endOf(ticket)).toEqual({ code: 1006, reason: 'upstream_refused' });
    expect(client.received.toString()).toMatch(/^HTTP\/1\.1 404 /);
  });
});

test('one that is revoked before the application has answered is never opened', async () => {
  const answers: Array<() => void> = [];
  const embedded = await embed({ answer: () => new Promise<void>((resolve) => void answers.push(resolve)) });
  const ticket = await issue();
  const client = await openRaw(embedded.port);
  client.send(upgradeRequest({ target: `/?ticket=${ticket.value}` }));
  await until(() => embedded.admitted.length === 1);
  await revoke(ticket);
  await client.closed;
  answers[0]?.();

  expect(client.received).toHaveLength(0);
  expect(await endOf(ticket)).toEqual({ code: 3003, reason: 'revoked' });
});

test('what is written behind the Close of the gateway is dropped, and the writer told that it is done', async () => {
  const embedded = await embed();
  const ticket = await issue();
  const client = await openMute(embedded, ticket);
  await revoke(ticket);
  await until(() => client.received.subarray(-7).includes('revoked'));
  const done = await new Promise((resolve) => embedded.sockets[0]?.send('late', resolve));
  client.send(clientFrame(8, Buffer.from([0x0b, 0xbb])));
  await client.closed;

  expect(done).toBeFalsy();
  expect(framesOf(client).map(closeOf)).toEqual([[3003, 'revoked']]);
});

describe('close()', () => {
  test('refuses what comes, and ends with the last connection', async () => {
    const embedded = await embed({ settings: { DRAIN_SECONDS: '1' } });
    const first = await openMute(embedded, await issue());
    const closed = embedded.gate.close();
    const ticket = await issue();
    const late = await openRaw(embedded.port);
    late.send(upgradeRequest({ target: `/?ticket=${ticket.value}` }));
    await late.closed;
    await answerClose(first, [1012, 'draining;spread_seconds=0;spread']);
    await closed;

    expect(late.received.toString()).toMatch(/^HTTP\/1\.1 503 [\s\S]*"code":"draining"/);
    expect(closeOf(framesOf(first).at(-1))).toEqual([1012, 'draining;spread_seconds=0;spread']);
    expect(embedded.gate.ready()).toBe(false);
  });

  test('leaves no socket and no client of Redis behind', async () => {
    const alone = await startRedis();
    const { store } = await runTicketService({ REDIS_URL: alone.url });
    const clients = async (): Promise<number> =>
      String(await alone.call('CLIENT', 'LIST'))
        .trim()
        .split('\n').length;
    const before = await clients();
    const embedded = await embed({ settings: { REDIS_URL: alone.url } });
    const opened = await Promise.all(
      Array.from({ length: 50 }, async () => openWebSocket(urlOf(embedded, await storeTicket(store)))),
    );
    for (const [index, { socket }] of opened.entries()) {
      if (index % 2 === 0) socket.close();
      else socket.terminate();
    }
    const sockets = () =>
      new Promise<number>((resolve) => embedded.server.getConnections((_error, count) => resolve(count)));
    await until(async () => (await sockets()) === 0);
    expect(await embedded.gate.metrics.metrics()).toMatch(/^oncegate_connections_open 0$/m);
    await until(async () => (await store.list('ada')).records.length === 0);

    expect(await clients()).toBeGreaterThan(before);
    await embedded.gate.close();
    await until(async () => (await clients()) === before);
  });
});
