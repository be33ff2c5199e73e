import { createServer, type IncomingMessage } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Echo } from '../../../../services/gateway/wires/echo.ts';
import type { Wire } from '../../../../services/gateway/wires/wire.ts';
import { splitHead } from '../../../support/http/http-answer.ts';
import { until } from '../../../support/machine/wait.ts';
import { runGateway, storeTicket } from '../../../support/services/in-process.ts';
import { clientFrame } from '../../../support/sockets/frames.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket, openWithTicket } from '../../../support/sockets/web-socket.ts';

const MIB = 1_048_576;

/** What a request is answered by; the subprotocol that it names is the chosen one. */
function openingOf({ headers }: IncomingMessage) {
  const { 'sec-websocket-key': key = '', 'sec-websocket-protocol': protocol } = headers;
  return { key, protocol };
}

/** An HTTP server that opens every upgrade with an echo. */
async function startEcho({ maxMessageBytes = MIB, claims = '{}', clientClaims = '{}' } = {}) {
  const echo = new Echo(maxMessageBytes);
  const events: string[] = [];
  const wires: Array<Wire | null> = [];
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => socket.destroy());
    const hello = { ticketId: 'AbCdEfGhIjKlMnOpQrStUv', subject: 'ada "the" first', claims, clientClaims };
    wires.push(
      echo.open(openingOf(request), socket, hello, () => ({
        heard: () => void events.push('heard'),
        failed: (reason) => void events.push(reason),
        ended: (code, reason) => void events.push(`ended ${code} ${reason}`),
      })),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  return { port, url: `ws://127.0.0.1:${port}/`, events, wires };
}

/** A client behind its hello. */
async function openEcho(url: string) {
  const client = await openWebSocket(url);
  await until(() => client.messages.length === 1);
  return { ...client, answers: () => client.messages.slice(1) };
}

describe('the echo', () => {
  test('says hello first, with the claims as they were issued', async () => {
    const claims = '{"n":12345678901234567890,"list":[],"e":1E2}';
    const clientClaims = '{"n":1E2}';
    const { url } = await startEcho({ claims, clientClaims });
    const client = await openEcho(url);

    expect(client.messages).toEqual([
      `{"type":"hello","ticket_id":"AbCdEfGhIjKlMnOpQrStUv","subject":"ada \\"the\\" first","claims":${claims},"client_claims":${clientClaims}}`,
    ]);
  });

  test('sends text back as text and binary as binary, in their order', async () => {
    const { url } = await startEcho();
    const client = await openEcho(url);
    const sent = ['text', 'ünïcödé 🎟', Buffer.from([0, 255, 128]), '', Buffer.alloc(0), 'x'.repeat(100_000)];
    for (const message of sent) client.socket.send(message);

    await until(() => client.answers().length === sent.length);
    expect(client.answers()).toEqual(sent);
  });

  test('puts a fragmented message together, also around a ping', async () => {
    const { port, events } = await startEcho();
    const client = await openRaw(port);
    client.send(upgradeRequest());
    await until(() => client.received.includes('hello'));
    const before = client.received.length;
    const fragments = [
      clientFrame(1, 'one ', { fin: false }),
      clientFrame(9, 'are you there'),
      clientFrame(0, '', { fin: false }),
      clientFrame(0, 'message'),
    ];
    client.send(Buffer.concat(fragments));

    await until(() => client.received.includes('message'));
    expect(client.received.subarray(before).toString('latin1')).toBe('\x8a\x0dare you there\x81\x0bone message');
    expect(events).toContain('heard');
  });

  test('takes a message of the greatest length', async () => {
    const { url } = await startEcho({ maxMessageBytes: 1_000 });
    const client = await openEcho(url);
    client.socket.send(Buffer.alloc(1_000, 7));

    await until(() => client.answers().length === 1);
    expect(client.answers()).toEqual([Buffer.alloc(1_000, 7)]);
  });

  test.each([
    ['in one frame', false],
    ['in fragments', true],
  ])('closes with 1009 at a message that is a byte too long, %s', async (_name, fragmented) => {
    const { url, events } = await startEcho({ maxMessageBytes: 1_000 });
    const client = await openEcho(url);
    if (fragmented) {
      client.socket.send(Buffer.alloc(600), { fin: false });
      client.socket.send(Buffer.alloc(401), { fin: true });
    } else {
      client.socket.send(Buffer.alloc(1_001));
    }

    expect(await client.closed).toEqual({ code: 1009, reason: 'message_too_big' });
    await until(() => events.some((event) => event.startsWith('ended')));
    expect(events.filter((event) => event !== 'heard')).toEqual(['message_too_big', expect.stringMatching(/^ended /)]);
    expect(client.answers()).toEqual([]);
  });

  test.each([
    ['text that is not UTF-8', clientFrame(1, Buffer.from([0xff])), 1007],
    ['a reserved opcode', clientFrame(3, 'x'), 1002],
    ['a frame without a mask', Buffer.from([0x81, 1, 65]), 1002],
    ['a compressed frame that was not agreed on', clientFrame(0x41, 'x'), 1002],
    ['a continuation of nothing', clientFrame(0, 'x'), 1002],
  ])('closes by the protocol at %s', async (_name, frame, code) => {
    const { port, events } = await startEcho();
    const client = await openRaw(port);
    client.send(upgradeRequest());
    await until(() => client.received.includes('hello'));
    client.send(frame);
    await client.closed;

    expect(client.received.subarray(-4)).toEqual(Buffer.from([0x88, 2, code >> 8, code & 0xff]));
    await until(() => events.some((event) => event.startsWith('ended')));
    expect(events).not.toContain('message_too_big');
  });

  test('agrees on no compression', async () => {
    const { port } = await startEcho();
    const client = await openRaw(port);
    client.send(upgradeRequest({ headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } }));
    await until(() => client.received.includes('hello'));

    expect(splitHead(client.received).head.headers.map(([name]) => name)).toEqual([
      'upgrade',
      'connection',
      'sec-websocket-accept',
    ]);
  });

  test('opens nothing where the client has gone', async () => {
    const echo = new Echo(MIB);
    const server = createServer();
    let wire: Wire | null | undefined;
    let opened = false;
    server.on('upgrade', (request, socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('end', () => {
        wire = echo.open(
          openingOf(request),
          socket,
          { ticketId: 'a', subject: 'b', claims: '{}', clientClaims: '{}' },
          () => {
            opened = true;
            return { heard() {}, failed() {}, ended() {} };
          },
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const client = await openRaw(typeof address === 'object' ? Number(address?.port) : 0);
    client.socket.end(upgradeRequest());
    await client.closed;

    expect(wire).toBeNull();
    expect(opened).toBe(false);
    expect(client.received.toString()).toBe('');
  });
});

describe('a client that does not read', () => {
  const MESSAGES = 1_000;
  const SIZE = 64 * 1_024;

  /** Waits until nothing more of what the client sends is taken, and returns how much was. */
  async function taken(unsent: () => number): Promise<number> {
    let last = -1;
    let still = 0;
    await until(
      () => {
        still = unsent() === last ? still + 1 : 0;
        last = unsent();
        return still > 30;
      },
      { everyMs: 10, what: 'nothing more is taken' },
    );
    return MESSAGES * SIZE - last;
  }

  test('is not read from either, and gets everything once it reads again', async () => {
    const { url, wires } = await startEcho();
    const client = await openEcho(url);
    client.socket.pause();
    for (let index = 0; index < MESSAGES; index += 1) client.socket.send(Buffer.alloc(SIZE, index % 251));

    await until(() => wires[0]?.stalled);
    // What the kernel keeps both ways, and the gateway's own mebibyte.
    expect(await taken(() => client.socket.bufferedAmount)).toBeLessThan(32 * MIB);
    expect(wires[0]?.stalled).toBe(true);
    client.socket.resume();
    await until(() => client.answers().length === MESSAGES);
    expect(client.answers().every((answer, index) => answer.length === SIZE && answer[0] === index % 251)).toBe(true);
    expect(wires[0]?.stalled).toBe(false);
  });

  test('is closed as a slow consumer, and its record says so', async () => {
    const gateway = await runGateway({ HEARTBEAT_SECONDS: '1' });
    const ticket = await storeTicket(gateway.store);
    const client = await openWithTicket(gateway.port, ticket.value);
    client.socket.pause();
    for (let index = 0; index < MESSAGES; index += 1) client.socket.send(Buffer.alloc(SIZE));

    await until(async () => (await gateway.store.read(ticket.id))?.state === 'closed');
    expect(await gateway.store.read(ticket.id)).toMatchObject({ closeCode: 1008, closeReason: 'slow_consumer' });
    expect(await gateway.metric('oncegate_connections_closed_total{code="1008"}')).toBe(1);
    expect(await gateway.metric('oncegate_connections_open')).toBe(0);
  });
});

test('a message that is too long closes the connection, and its record says so', async () => {
  const gateway = await runGateway({ MAX_MESSAGE_BYTES: '10' });
  const ticket = await storeTicket(gateway.store);
  const client = await openWithTicket(gateway.port, ticket.value);
  client.socket.send('eleven char');

  expect(await client.closed).toEqual({ code: 1009, reason: 'message_too_big' });
  await until(async () => (await gateway.store.read(ticket.id))?.state === 'closed');
  expect(await gateway.store.read(ticket.id)).toMatchObject({ closeCode: 1009, closeReason: 'message_too_big' });
});
