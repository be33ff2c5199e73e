import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Splice } from '../../../../services/gateway/wires/splice.ts';
import type { Wire, WireListener } from '../../../../services/gateway/wires/wire.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import { clientFrame, closeOf, strictFrames } from '../../../support/sockets/frames.ts';
import { serverFrame } from '../upstream/stage.ts';
import { endOf, socketPair } from './socket-pair.ts';

const CLOSE = 8;
const PING = 9;
const MAX_BYTES = 100;

/** Far from what any of these tests needs, however busy the machine is. */
const PATIENT = { timeoutMs: 15_000 };

const payload = (code: number, reason: string): Buffer =>
  Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
const upstreamClose = serverFrame(CLOSE, payload(4001, 'of the upstream'));
const clientClose = clientFrame(CLOSE, payload(4002, 'of the client'));
const HELLO = serverFrame(1, 'hello');
const WORLD = serverFrame(1, 'world');

/** A client and an upstream with a splice between, and what its listener was told. */
async function splice(onFailed: (wire: Wire, reason: Parameters<WireListener['failed']>[0]) => void = () => {}) {
  const [clientSocket, fromClient] = await socketPair();
  const [toUpstream, upstreamSocket] = await socketPair();
  const [client, upstream] = [endOf(clientSocket), endOf(upstreamSocket)];
  const told: unknown[] = [];
  const wires: Wire[] = [];
  new Splice({ client: fromClient, upstream: toUpstream, maxMessageBytes: MAX_BYTES, idleMs: 0 }, (wire) => {
    wires.push(wire);
    return {
      heard: () => {},
      failed: (reason) => {
        told.push(reason);
        onFailed(wire, reason);
      },
      ended: (code, reason) => void told.push([code, reason]),
    };
  });
  const [wire] = wires;
  if (wire === undefined) throw new Error('nobody was told of the wire');
  atEnd(async () => {
    for (const socket of [clientSocket, fromClient, toUpstream, upstreamSocket]) socket.destroy();
  });
  const has = (socket: Socket, received: () => Buffer, bytes: Buffer): Promise<unknown> => {
    socket.write(bytes);
    return until(() => received().subarray(-bytes.length).equals(bytes), PATIENT);
  };
  return {
    client,
    upstream,
    wire,
    told,
    /** The upstream sends this, and the client has it. */
    down: (bytes: Buffer) => has(upstreamSocket, client.received, bytes),
    /** The client sends this, and the upstream has it. */
    up: (bytes: Buffer) => has(clientSocket, upstream.received, bytes),
    /** The connection is over, with this code and reason. */
    over: () => until(() => told.find((one) => Array.isArray(one)), PATIENT),
    clientFrames: () => strictFrames(client.received()),
    upstreamFrames: () => strictFrames(upstream.received(), { masked: true }),
  };
}

const opcodes = (frames: ReadonlyArray<{ readonly opcode: number }>): number[] => frames.map(({ opcode }) => opcode);

describe('a gateway that closes a splice', () => {
  test('asks for no pings from then on, and closes once', async () => {
    const { client, wire, down, over, clientFrames } = await splice();
    await down(HELLO);
    wire.close(3003, 'revoked');
    wire.ping(() => {});
    wire.close(1012, 'draining');
    await until(() => clientFrames().length === 2, PATIENT);
    client.socket.end(clientClose);
    await over();

    expect(clientFrames().slice(1).map(closeOf)).toEqual([[3003, 'revoked']]);
  });

  test('waits with its Close frame for the end of a frame, and passes nothing on behind it', async () => {
    const { client, upstream, wire, down, over, clientFrames } = await splice();
    await down(HELLO.subarray(0, 4));
    wire.close(3003, 'revoked');
    upstream.socket.write(Buffer.concat([HELLO.subarray(4), WORLD]));
    await until(() => client.received().includes('revoked'), PATIENT);
    upstream.socket.write(WORLD);
    client.socket.end(clientClose);
    await over();

    expect(opcodes(clientFrames())).toEqual([1, CLOSE]);
  });

  test('ends the client’s stream when its Close frame is answered', async () => {
    const { client, wire, down, over } = await splice();
    await down(HELLO);
    wire.close(3003, 'revoked');
    await until(() => client.received().includes('revoked'), PATIENT);
    client.socket.write(clientClose);
    await client.ended;
    client.socket.end();

    expect(await over()).toEqual([4002, 'of the client']);
  });

  test('ends the client’s stream at once when the client has closed before', async () => {
    const { client, upstream, wire, up, over, clientFrames, upstreamFrames } = await splice();
    await up(clientClose);
    wire.close(3003, 'revoked');
    await client.ended;
    await upstream.ended;
    client.socket.end();

    expect(await over()).toEqual([4002, 'of the client']);
    expect(clientFrames().map(closeOf)).toEqual([[3003, 'revoked']]);
    expect(upstreamFrames().map(closeOf)).toEqual([[4002, 'of the client']]);
  });

  test('sends no Close frame behind the upstream’s, to neither side', async () => {
    const { client, upstream, wire, down, over } = await splice();
    await down(upstreamClose);
    wire.close(3003, 'revoked');
    await upstream.ended;
    client.socket.write(clientClose);
    await client.ended;
    client.socket.end();

    expect(await over()).toEqual([4001, 'of the upstream']);
    expect(client.received()).toEqual(upstreamClose);
    expect(upstream.received()).toHaveLength(0);
  });

  test('ends the client’s stream without a Close frame when the upstream ends inside the frame it waits for', async () => {
    const { client, upstream, wire, told, down, over } = await splice();
    await down(HELLO.subarray(0, 4));
    wire.close(3003, 'revoked');
    upstream.socket.end();
    await client.ended;
    client.socket.end();
    await over();

    expect(client.received()).toEqual(HELLO.subarray(0, 4));
    expect(told).toEqual([[1006, '']]);
  });

  test('ends the client’s stream when the client ends its half without an answer', async () => {
    const { client, wire, told, down, over } = await splice();
    await down(HELLO);
    wire.close(3003, 'revoked');
    await until(() => client.received().includes('revoked'), PATIENT);
    client.socket.end();
    await client.ended;
    await over();

    expect(told).toEqual([[1006, '']]);
  });
});

describe('an upstream that ends without a Close frame', () => {
  test('between two frames is lost, and the gateway’s Close frame tells', async () => {
    const { client, upstream, told, down, over, clientFrames } = await splice((wire, reason) =>
      wire.close(1013, reason),
    );
    await down(HELLO);
    upstream.socket.end();
    await until(() => client.received().includes('upstream_lost'), PATIENT);
    client.socket.write(clientClose);
    await client.ended;
    client.socket.end();
    await over();

    expect(opcodes(clientFrames())).toEqual([1, CLOSE]);
    expect(told).toEqual(['upstream_lost', [4002, 'of the client']]);
  });

  test('inside a frame is lost, and the end of the stream tells: no Close frame fits', async () => {
    const { client, upstream, told, down, over } = await splice((wire, reason) => wire.close(1013, reason));
    await down(HELLO.subarray(0, 4));
    upstream.socket.end();
    await client.ended;
    client.socket.end();
    await over();

    expect(client.received()).toEqual(HELLO.subarray(0, 4));
    expect(told).toEqual(['upstream_lost', [1006, '']]);
  });
});

describe('a Close frame that went by', () => {
  test('of the upstream’s is the last that the client is sent', async () => {
    const { client, upstream, wire, down, over } = await splice();
    await down(upstreamClose);
    wire.ping(() => {});
    upstream.socket.end(WORLD);
    await client.ended;
    client.socket.end();

    expect(await over()).toEqual([4001, 'of the upstream']);
    expect(client.received()).toEqual(upstreamClose);
  });

  test('of the client’s is the last that the upstream is sent', async () => {
    const { client, upstream, up, over } = await splice();
    await up(clientClose);
    client.socket.end(clientFrame(1, 'late'));
    await upstream.ended;
    upstream.socket.end();
    await client.ended;

    expect(await over()).toEqual([4002, 'of the client']);
    expect(upstream.received()).toEqual(clientClose);
  });
});

test('a message that is too long is cut off: the upstream is told behind whole frames, and only an answer is read', async () => {
  const { client, upstream, told, up, over, clientFrames, upstreamFrames } = await splice((wire, reason) =>
    wire.close(1009, reason),
  );
  await up(clientFrame(2, Buffer.alloc(MAX_BYTES)));
  const tooLong = clientFrame(2, Buffer.alloc(MAX_BYTES + 1));
  client.socket.write(tooLong.subarray(0, 20));
  await upstream.ended;
  client.socket.write(Buffer.concat([tooLong.subarray(20), tooLong, clientClose]));
  await client.ended;
  client.socket.end();
  await over();

  expect(upstreamFrames().slice(1).map(closeOf)).toEqual([[1009, 'message_too_big']]);
  expect(clientFrames().map(closeOf)).toEqual([[1009, 'message_too_big']]);
  expect(told).toEqual(['message_too_big', [4002, 'of the client']]);
});

test('a ping is written once the frame that is under way has ended, and says so then', async () => {
  const { client, upstream, wire, down, clientFrames } = await splice();
  await down(HELLO.subarray(0, 4));
  let written = 0;
  for (let index = 0; index < 2; index += 1) wire.ping(() => (written += 1));
  expect(written).toBe(0);
  upstream.socket.write(HELLO.subarray(4));
  await until(() => written > 0 && client.received().length === HELLO.length + 2, PATIENT);

  expect(opcodes(clientFrames())).toEqual([1, PING]);
  expect(written).toBe(1);
});

test('a splice that is over does nothing any more', async () => {
  const { client, upstream, wire, told, down, over } = await splice();
  await down(HELLO);
  client.socket.resetAndDestroy();
  await over();
  await upstream.ended;
  wire.ping(() => told.push('pinged'));
  wire.close(3003, 'revoked');
  upstream.socket.end(WORLD);
  await until(() => upstream.socket.destroyed, PATIENT);

  expect(told).toEqual([[1006, '']]);
  expect(upstream.received()).toHaveLength(0);
});
