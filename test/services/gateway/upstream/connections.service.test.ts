import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { until } from '../../../support/machine/wait.ts';
import { clientFrame, closeOf, strictFrames } from '../../../support/sockets/frames.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';
import { type BackEnd, startBackEnd } from '../../../support/sockets/ws-back-end.ts';
import { type RelayStage, serverFrame, serverFrameHead, setRelay, startRawUpstream, switching } from './stage.ts';

/** A client made with ws that is connected through the gateway to the back end. */
async function connectThrough(
  backEnd: BackEnd,
  { env = {}, path = '/', ...options } = {} as Record<string, unknown> & { env?: object; path?: string },
) {
  const stage = await setRelay(backEnd.port, env as Record<string, string>); // as it is given by these tests
  const client = await openWebSocket(`ws://127.0.0.1:${stage.gateway.port}${path}`, {
    headers: { Authorization: `Ticket ${stage.ticket.value}` },
    ...options,
  });
  return { client, ...stage };
}

describe('through the relay', () => {
  test.each([
    ['text', 'hello, wörld ☃'],
    ['nothing', ''],
    ['126 bytes', 'x'.repeat(126)],
    ['70,000 bytes', 'y'.repeat(70_000)],
    ['binary', Buffer.from([0, 255, 128, 1])],
    ['no bytes', Buffer.alloc(0)],
  ])('%s comes back as it was sent', async (_name, message) => {
    const backEnd = await startBackEnd();
    const { client } = await connectThrough(backEnd);
    client.socket.send(message);

    expect(await until(() => client.messages.length > 0 && client.messages)).toEqual([message]);
    expect(backEnd.messages).toEqual([message]);
  });

  test('a fragmented message with a ping between its parts stays that', async () => {
    const backEnd = await startBackEnd();
    const { client } = await connectThrough(backEnd);
    let pongs = 0;
    client.socket.on('pong', () => (pongs += 1));
    client.socket.send('one ', { fin: false });
    client.socket.ping('are you there');
    client.socket.send('two', { fin: true });
    await until(() => client.messages.length === 1 && pongs === 1);

    expect(backEnd.messages).toEqual(['one two']);
  });

  test('permessage-deflate is negotiated end to end', async () => {
    const backEnd = await startBackEnd({ perMessageDeflate: { threshold: 0 } });
    const { client } = await connectThrough(backEnd, { perMessageDeflate: { threshold: 0 } });
    const message = 'again and '.repeat(1_000);
    client.socket.send(message);
    await until(() => client.messages.length === 1);

    expect(client.socket.extensions).toContain('permessage-deflate');
    expect(client.messages).toEqual([message]);
  });

  test.each([
    [
      'the back end chooses',
      (protocols: Set<string>) => ([...protocols].includes('chat.v2') ? 'chat.v2' : false),
      'chat.v2',
    ],
    ['the back end chooses none', () => false, 'oncegate.v1'],
  ])('the subprotocol is the one that %s', async (_name, handleProtocols, chosen) => {
    const backEnd = await startBackEnd({ handleProtocols });
    const stage = await setRelay(backEnd.port);
    const client = await openWebSocket(`ws://127.0.0.1:${stage.gateway.port}/`, {
      protocols: ['chat.v2', 'oncegate.v1', `oncegate.ticket.${stage.ticket.value}`],
    });

    expect(client.socket.protocol).toBe(chosen);
    expect(backEnd.requests[0]?.headers['sec-websocket-protocol']).toBe('chat.v2');
  });

  test('the back end is told who it is, and nothing of the ticket', async () => {
    const backEnd = await startBackEnd();
    const stage = await setRelay(backEnd.port);
    const { id, value, secret } = stage.ticket;
    const headers = { 'Oncegate-Subject': 'mallory', Oncegate_Subject: 'mallory', 'X-Forwarded-For': '8.8.8.8' };
    await openWebSocket(`ws://127.0.0.1:${stage.gateway.port}/~${id}/room/7?a=1&ticket=${value}&b=2`, { headers });
    const [request] = backEnd.requests;

    expect(request?.url).toBe('/room/7?a=1&b=2');
    expect(request?.headers).toMatchObject({
      host: `127.0.0.1:${stage.gateway.port}`,
      'oncegate-subject': 'ada',
      'oncegate-ticket-id': id,
      'oncegate-claims': Buffer.from('{"role":"admin"}').toString('base64url'),
      'oncegate-client-claims': Buffer.from('{"role":"root"}').toString('base64url'),
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
    });
    expect(JSON.stringify(request?.rawHeaders)).not.toMatch(new RegExp(`mallory|${secret}`));
  });

  test.each([
    [1000, 'done'],
    [4321, 'of our own'],
  ])('a close of the client with %i reaches the back end and the record', async (code, reason) => {
    const backEnd = await startBackEnd();
    const { client, recordIn } = await connectThrough(backEnd);
    client.socket.close(code, reason);

    expect(await client.closed).toEqual({ code, reason });
    expect(await recordIn('closed')).toMatchObject({ closeCode: code, closeReason: reason });
    await until(() => backEnd.closings.length === 1);
    expect(backEnd.closings).toEqual([[code, reason]]);
  });

  test('a close of the back end reaches the client and the record', async () => {
    const backEnd = await startBackEnd();
    const { client, recordIn } = await connectThrough(backEnd);
    backEnd.sockets[0]?.close(4999, 'kicked by the application');

    expect(await client.closed).toEqual({ code: 4999, reason: 'kicked by the application' });
    expect(await recordIn('closed')).toMatchObject({ closeCode: 4999, closeReason: 'kicked by the application' });
  });

  test('a back end that dies closes the client with 1013', async () => {
    const backEnd = await startBackEnd();
    const { client, recordIn } = await connectThrough(backEnd);
    backEnd.sockets[0]?.terminate();

    expect(await client.closed).toEqual({ code: 1013, reason: 'upstream_lost' });
    expect(await recordIn('closed')).toMatchObject({ closeCode: 1013, closeReason: 'upstream_lost' });
  });

  test('a message that is too big ends it with 1009, and nothing of it is passed on', async () => {
    const backEnd = await startBackEnd();
    const { client } = await connectThrough(backEnd, { env: { MAX_MESSAGE_BYTES: '1000' } });
    client.socket.send('x'.repeat(1000));
    await until(() => client.messages.length === 1);
    client.socket.send('first ', { fin: false });
    client.socket.send('y'.repeat(995), { fin: true });

    expect(await client.closed).toEqual({ code: 1009, reason: 'message_too_big' });
    await until(() => backEnd.closings.length === 1);
    expect(backEnd.closings).toEqual([[1009, 'message_too_big']]);
    expect(backEnd.messages).toHaveLength(1);
  });

  test('a revoked connection is closed with 3003 on both sides', async () => {
    const backEnd = await startBackEnd();
    const { client, gateway, ticket } = await connectThrough(backEnd);
    const outcome = await gateway.store.revoke({ id: ticket.id });
    if (outcome.code !== 'closing') throw new Error(outcome.code);
    await gateway.store.command(outcome.gatewayId, { command: 'close', ticket_id: ticket.id, reason: 'revoked' });

    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
    await until(() => backEnd.closings.length === 1);
    expect(backEnd.closings).toEqual([[3003, 'revoked']]);
  });

  test('a revocation that comes while the upstream is dialled closes the connection as soon as it is open', async () => {
    let answerNow = () => {};
    const upstream = await startRawUpstream((socket, accept) => {
      answerNow = () => socket.write(switching(accept));
    });
    const { gateway, ticket } = await setRelay(upstream.port);
    const opening = openWebSocket(`ws://127.0.0.1:${gateway.port}/?ticket=${ticket.value}`);
    await until(() => upstream.received().length > 0);
    const outcome = await gateway.store.revoke({ id: ticket.id });
    if (outcome.code !== 'closing') throw new Error(outcome.code);
    await gateway.store.command(outcome.gatewayId, { command: 'close', ticket_id: ticket.id, reason: 'revoked' });
    answerNow();

    expect(await (await opening).closed).toEqual({ code: 3003, reason: 'revoked' });
  });

  test('a draining gateway closes with 1012', async () => {
    const backEnd = await startBackEnd();
    const { client, gateway } = await connectThrough(backEnd);
    const drained = gateway.service.drain();

    expect(await client.closed).toMatchObject({ code: 1012 });
    await drained;
  });

  test('a silent client is pinged, and one that does not answer is closed with 3008', async () => {
    const backEnd = await startBackEnd();
    const { client } = await connectThrough(backEnd, { env: { HEARTBEAT_SECONDS: '1' }, autoPong: false });

    expect(await client.closed).toEqual({ code: 3008, reason: 'heartbeat_missed' });
  });

  test('UPSTREAM_IDLE_SECONDS without a byte either way closes the client with 1013', async () => {
    const backEnd = await startBackEnd();
    const { client, recordIn } = await connectThrough(backEnd, { env: { UPSTREAM_IDLE_SECONDS: '1' } });
    const since = performance.now();
    client.socket.send('the last word');
    await until(() => client.messages.length === 1);

    expect(await client.closed).toEqual({ code: 1013, reason: 'upstream_lost' });
    expect(performance.now() - since).toBeGreaterThan(900);
    expect(await recordIn('closed')).toMatchObject({ closeCode: 1013, closeReason: 'upstream_lost' });
    await until(() => backEnd.closings.length === 1);
  });

  test("a client's answers to pings are bytes: above HEARTBEAT_SECONDS they keep an idle upstream", async () => {
    const backEnd = await startBackEnd();
    const env = { HEARTBEAT_SECONDS: '1', UPSTREAM_IDLE_SECONDS: '2' };
    const { client, gateway, ticket } = await connectThrough(backEnd, { env });
    let answers = 0;
    backEnd.sockets[0]?.on('pong', () => (answers += 1));
    await until(() => answers === 3, { what: 'three heartbeats' });

    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect((await gateway.store.read(ticket.id))?.state).toBe('open');
  });
});

describe('a client in the middle of a long message', () => {
  /** An upstream that sends one frame in so many parts, one of them every 100 ms. */
  const dribbling = (parts: number, bytes: number) => {
    const part = Buffer.alloc(bytes);
    return startRawUpstream((socket, accept) => {
      let left = parts;
      socket.write(switching(accept));
      socket.write(serverFrameHead(2, parts * bytes));
      const pace = setInterval(() => {
        socket.write(part);
        left -= 1;
        if (left === 0) clearInterval(pace);
      }, 100);
      socket.on('close', () => clearInterval(pace));
    });
  };

  test('is pinged behind it, however many heartbeats it takes, and stays', async () => {
    const upstream = await dribbling(35, 10_000);
    const { gateway, ticket } = await setRelay(upstream.port, { HEARTBEAT_SECONDS: '1' });
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
    await client.outcome;
    await until(() => client.received.subarray(-2).equals(Buffer.from([0x89, 0])), {
      what: 'a ping',
    });
    client.socket.write(clientFrame(10));
    const behind = client.received.subarray(client.received.indexOf('\r\n\r\n') + 4);

    expect(strictFrames(behind).map(({ opcode, payload }) => [opcode, payload.length])).toEqual([
      [2, 350_000],
      [9, 0],
    ]);
    expect((await gateway.store.read(ticket.id))?.state).toBe('open');
  });

  test('that reads nothing of it ends with 1008', async () => {
    const upstream = await dribbling(40, 5_000_000);
    const { gateway, ticket, recordIn } = await setRelay(upstream.port, { HEARTBEAT_SECONDS: '1' });
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
    await client.outcome;
    client.socket.pause();

    expect(await recordIn('closed')).toMatchObject({ closeCode: 1008, closeReason: 'slow_consumer' });
  });

  test('of which the back end does not send the rest ends with 1013', async () => {
    const upstream = await startRawUpstream((socket, accept) => {
      socket.write(
        Buffer.concat([Buffer.from(switching(accept)), serverFrame(2, Buffer.alloc(1_000)).subarray(0, 500)]),
      );
    });
    const { gateway, ticket, recordIn } = await setRelay(upstream.port, { HEARTBEAT_SECONDS: '1' });
    await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));

    expect(await recordIn('closed')).toMatchObject({ closeCode: 1013, closeReason: 'upstream_lost' });
  });
});

describe('a back end that keeps its TCP connection open', () => {
  const close = (code: number): Buffer => clientFrame(8, Buffer.from([code >> 8, code & 0xff]));
  const BYE = serverFrame(8, Buffer.from([0x0f, 0xa1, 0x68, 0x69]));

  async function keepingOpen(onData: (socket: Socket) => void = () => {}) {
    const upstream = await startRawUpstream((socket, accept) => {
      socket.write(switching(accept));
      // The first bytes behind the request.
      socket.once('data', () => onData(socket));
    });
    const stage = await setRelay(upstream.port, { MAX_CONNECTIONS_PER_SUBJECT: '1' });
    const client = await RawClient.send(stage.gateway.port, upgradeRequest({ ticket: stage.ticket.value }));
    await client.outcome;
    return { ...stage, client, upstream };
  }

  async function reconnects({ gateway, issue }: RelayStage): Promise<boolean> {
    const next = await RawClient.send(gateway.port, upgradeRequest({ ticket: (await issue()).value }));
    return (await next.outcome).kind === 'open';
  }

  test('after both Close frames does not keep the connection open', async () => {
    const stage = await keepingOpen((socket) => socket.write(BYE));
    stage.client.socket.write(close(1000));
    await stage.client.closed;

    expect(await stage.recordIn('closed')).toMatchObject({ closeCode: 1000 });
    expect(await reconnects(stage)).toBe(true);
  });

  test('after both Close frames, its own first, does not keep it open either', async () => {
    const stage = await keepingOpen();
    stage.upstream.sockets[0]?.write(BYE);
    await until(() => stage.client.received.subarray(-4).equals(BYE.subarray(-4)));
    stage.client.socket.write(close(4001));
    await stage.client.closed;

    expect(await stage.recordIn('closed')).toMatchObject({ closeCode: 4001, closeReason: 'hi' });
    expect(await reconnects(stage)).toBe(true);
  });

  test.each([
    ['with a Close and the end of its half', close(1001), 1001],
    ['with the end of its half alone', Buffer.alloc(0), 1006],
  ])('does not keep open what the client ends %s', async (_name, last, closeCode) => {
    const stage = await keepingOpen();
    stage.client.socket.end(last);

    expect(await stage.recordIn('closed')).toMatchObject({ closeCode });
    expect(await reconnects(stage)).toBe(true);
  });

  test('may still send what it has for a client that has ended its half', async () => {
    const upstream = await startRawUpstream((socket, accept) => {
      socket.write(switching(accept));
      socket.on('end', () => socket.end(Buffer.concat([serverFrame(1, 'last words'), BYE])));
    });
    const { gateway, ticket } = await setRelay(upstream.port);
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
    await client.outcome;
    client.socket.end();
    await client.closed;
    const frames = strictFrames(client.received.subarray(client.received.indexOf('\r\n\r\n') + 4));

    expect(frames.map(({ opcode }) => opcode)).toEqual([1, 8]);
  });
});

test('a Close frame that went by is what is recorded, even if the gateway closes later', async () => {
  const upstream = await startRawUpstream((socket, accept) => socket.write(switching(accept)));
  const { gateway, ticket } = await setRelay(upstream.port);
  const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
  await client.outcome;
  client.socket.write(clientFrame(8, Buffer.from([0x10, 0xe1, 0x68, 0x69])));
  await until(() => upstream.received().subarray(-2).equals(Buffer.from('hi')));
  const revoked = await gateway.store.revoke({ id: ticket.id });
  if (revoked.code !== 'closing') throw new Error(revoked.code);
  await gateway.store.command(revoked.gatewayId, { command: 'close', ticket_id: ticket.id, reason: 'revoked' });
  await client.closed;

  const log = await until(() => gateway.log.find(({ event }) => event === 'close'));
  expect(log).toMatchObject({ code: 4321, reason: 'hi' });
});

describe('the gateway’s own frames', () => {
  test('never split one of the upstream’s, however that is cut, and nothing follows a Close', async () => {
    const parts = Array.from({ length: 60 }, (_, index) =>
      serverFrame(index % 3 === 0 ? 1 : 0, 'z'.repeat((index * 977) % 70_000), { fin: index % 3 === 2 }),
    );
    const stream = Buffer.concat(parts);
    const upstream = await startRawUpstream(async (socket, accept) => {
      socket.write(switching(accept));
      // A multiplicative generator: cuts of 1 to 4,000 bytes, the same ones every time.
      for (let at = 0, seed = 7; at < stream.length && socket.writable; ) {
        seed = (seed * 48_271) % 2_147_483_647;
        const end = at + 1 + (seed % 4_000);
        socket.write(stream.subarray(at, end));
        at = end;
        if (seed % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const { gateway, ticket } = await setRelay(upstream.port, { HEARTBEAT_SECONDS: '1' });
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
    const outcome = await client.outcome;
    if (outcome.kind !== 'open') throw new Error(outcome.kind);
    // Any byte is a sign of life: on a busy machine the stream takes longer than a heartbeat.
    client.socket.on('data', () => client.socket.write(clientFrame(10)));
    // In the middle of a fragmented message.
    await until(() => client.received.length > stream.length / 2);
    const revoked = await gateway.store.revoke({ id: ticket.id });
    if (revoked.code !== 'closing') throw new Error(revoked.code);
    await gateway.store.command(revoked.gatewayId, { command: 'close', ticket_id: ticket.id, reason: 'revoked' });
    await client.closed;
    const behind = client.received.subarray(client.received.indexOf('\r\n\r\n') + 4);
    const frames = strictFrames(behind);

    expect(closeOf(frames.at(-1))).toEqual([3003, 'revoked']);
    expect(frames.length).toBeGreaterThan(10);
  });

  test('come behind a frame that is under way', async () => {
    let goOn = () => {};
    const frame = serverFrame(2, Buffer.alloc(1_000, 1));
    const upstream = await startRawUpstream((socket, accept) => {
      socket.write(Buffer.concat([Buffer.from(switching(accept)), frame.subarray(0, 500)]));
      goOn = () => socket.write(Buffer.concat([frame.subarray(500), serverFrame(1, 'next')]));
    });
    const { gateway, ticket } = await setRelay(upstream.port, { HEARTBEAT_SECONDS: '1' });
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
    await client.outcome;
    const headEnd = client.received.indexOf('\r\n\r\n') + 4;
    await until(() => client.received.length === headEnd + 500);
    const revoked = await gateway.store.revoke({ id: ticket.id });
    if (revoked.code !== 'closing') throw new Error(revoked.code);
    await gateway.store.command(revoked.gatewayId, { command: 'close', ticket_id: ticket.id, reason: 'revoked' });
    goOn();
    await until(() => client.received.length > headEnd + frame.length);
    client.socket.write(clientFrame(8, Buffer.from([0x0b, 0xbb])));
    await client.closed;
    const frames = strictFrames(client.received.subarray(headEnd));

    expect(frames.map(({ opcode }) => opcode)).toEqual([2, 8]);
    expect(frames[0]?.payload).toEqual(Buffer.alloc(1_000, 1));
  });
});
