import { type AddressInfo, createServer, type Socket } from 'node:net';
import { array, assert, asyncProperty, boolean, constantFrom, integer, nat, oneof, record } from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { RawWire } from '../../../../services/gateway/wires/raw-wire.ts';
import { splitHead } from '../../../support/http/http-answer.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import { closeOf, type ReceivedFrame, strictFrames } from '../../../support/sockets/frames.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';

const HEAD = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n';

let port: number;
const accepted: Socket[] = [];

beforeAll(async () => {
  const server = createServer((socket) => void accepted.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => new Promise((resolve) => server.close(() => resolve())));
  ({ port } = server.address() as AddressInfo); // a TCP server that listens has one
});

/** Both ends of a connection, with the wire at the server's end. */
async function wired() {
  const client = await openRaw(port);
  await until(() => accepted.length > 0);
  const [socket] = accepted.splice(0);
  if (socket === undefined) throw new Error('nothing was accepted');
  const told: unknown[] = [];
  const listener = { heard() {}, failed() {}, ended: (...ending: unknown[]) => void told.push(ending) };
  return { client, socket, wire: new RawWire(socket, () => listener), told };
}

function frame(opcode: number, fin: boolean, payload: Buffer): Buffer {
  const { length } = payload;
  const size = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : undefined;
  const head = Buffer.from([
    (fin ? 0x80 : 0) | opcode,
    ...(size ?? [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255]),
  ]);
  return Buffer.concat([head, payload]);
}

/** Messages in fragments, with pongs between them: what a library may write. */
const messages = array(
  record({
    lengths: array(oneof(nat(300), constantFrom(0, 125, 126, 65_535, 65_536, 70_000)), { minLength: 1, maxLength: 4 }),
    pong: boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

function framesOf(sent: ReadonlyArray<{ lengths: number[]; pong: boolean }>): Buffer[] {
  return sent.flatMap(({ lengths, pong }, message) =>
    lengths.flatMap((length, index) => [
      frame(index === 0 ? 2 : 0, index === lengths.length - 1, Buffer.alloc(length, 0x80 | message)),
      ...(pong ? [frame(10, true, Buffer.from('pong'))] : []),
    ]),
  );
}

const bytesOf = ({ fin, opcode, payload }: ReceivedFrame): Buffer => frame(opcode, fin, payload);

test('inserts own frames between two frames of the library, however its writes are cut', async () => {
  const property = asyncProperty(
    messages,
    array(integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 20 }),
    array(constantFrom('write', 'cork', 'uncork', 'ping', 'turn'), { minLength: 1, maxLength: 20 }),
    nat(60),
    async (sent, sizes, actions, closeAfter) => {
      const { client, socket, wire } = await wired();
      const stream = Buffer.concat([Buffer.from(HEAD), ...framesOf(sent)]);
      let pings = 0;
      let closed = false;
      for (let at = 0, step = 0; at < stream.length; step += 1) {
        const action = actions[step % actions.length];
        const size = sizes[step % sizes.length] ?? 1;
        if (action === 'cork') socket.cork();
        else if (action === 'uncork') socket.uncork();
        else if (action === 'turn') await new Promise(setImmediate);
        else if (action === 'ping' && at > HEAD.length) {
          wire.ping(() => {});
          pings += closed ? 0 : 1;
        }
        socket.write(stream.subarray(at, at + size));
        at += size;
        if (step === closeAfter && at >= HEAD.length) {
          for (let index = 0; index < 100; index += 1) socket.uncork();
          await new Promise(setImmediate);
          wire.close(3003, 'revoked');
          closed = true;
        }
      }
      socket.end();
      client.socket.on('end', () => client.socket.end());
      await client.closed;

      const frames = strictFrames(splitHead(client.received).behind);
      const theirs = frames.filter(({ opcode }) => opcode !== 9 && opcode !== 8).map(bytesOf);
      const whole = Buffer.concat(framesOf(sent));
      const got = Buffer.concat(theirs);
      expect(got.equals(whole.subarray(0, got.length))).toBe(true);
      expect(frames.filter(({ opcode }) => opcode === 9).length).toBeLessThanOrEqual(pings);
      if (closed) expect(closeOf(frames.at(-1))).toEqual([3003, 'revoked']);
      else expect(got.length).toBe(whole.length);
    },
  );
  await assert(property, { numRuns: 60 });
});

test('inserts own frames at once while the library writes nothing', async () => {
  const { client, socket, wire } = await wired();
  socket.write(HEAD);
  wire.ping(() => {});
  wire.close(3003, 'revoked');
  await until(() => client.received.subarray(-7).includes('revoked'));

  expect(strictFrames(splitHead(client.received).behind).map(({ opcode }) => opcode)).toEqual([9, 8]);
});

test('the gateway’s Close does not wait behind what the library has already written', async () => {
  const { client, socket, wire } = await wired();
  client.socket.pause();
  socket.write(HEAD);
  let written = 0;
  while (socket.writableLength < 4_000_000) {
    socket.write(frame(2, true, Buffer.alloc(60_000)));
    written += 60_000;
  }
  wire.close(3003, 'revoked');
  client.socket.resume();
  await until(() => client.received.subarray(-7).includes('revoked'));

  const frames = strictFrames(splitHead(client.received).behind);
  expect(closeOf(frames.at(-1))).toEqual([3003, 'revoked']);
  expect(client.received.length).toBeLessThan(written);
});

test.each(['callback', 'drain'])(
  'a library that writes again at each %s does not block the event loop after a Close',
  async (kind) => {
    const { client, socket, wire } = await wired();
    socket.write(HEAD);
    wire.close(3003, 'revoked');
    let writes = 0;
    const next = (): void => {
      writes += 1;
      if (!socket.writable) return;
      if (kind === 'callback') socket.write(frame(2, true, Buffer.from('late')), next);
      else while (socket.write(frame(2, true, Buffer.alloc(10_000))));
    };
    socket.on('drain', next);
    next();
    await until(() => writes > 10);
    socket.destroy();
    await client.closed;

    expect(strictFrames(splitHead(client.received).behind).map(closeOf)).toEqual([[3003, 'revoked']]);
  },
);

test('an answer other than 101 is passed on, and nothing is put into it', async () => {
  const { client, socket, wire, told } = await wired();
  const answer = 'HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n';
  socket.write(answer);
  wire.ping(() => {});
  wire.close(1012, 'draining');
  socket.end('no');
  client.socket.on('end', () => client.socket.end());
  await client.closed;

  expect(client.received.toString()).toBe(`${answer}no`);
  await until(() => told.length > 0);
  expect(told).toEqual([[1006, 'upstream_refused']]);
});

test('a 101 may come in pieces, and as text', async () => {
  const { client, socket, wire, told } = await wired();
  for (const piece of [HEAD.slice(0, 5), HEAD.slice(5, -1), HEAD.slice(-1)]) socket.write(piece, 'latin1');
  socket.write(frame(8, true, Buffer.from([0x0f, 0xa1, 0x68, 0x69])));
  wire.ping(() => {});
  socket.end();
  client.socket.on('end', () => client.socket.end());
  await client.closed;

  expect(strictFrames(splitHead(client.received).behind).map(closeOf)).toEqual([[4001, 'hi']]);
  await until(() => told.length > 0);
  expect(told).toEqual([[4001, 'hi']]);
});

test('nothing follows a Close of the library’s: neither an own frame nor what the library still writes', async () => {
  const { client, socket, wire, told } = await wired();
  const bye = frame(8, true, Buffer.from([0x0f, 0xa1, 0x68, 0x69]));
  socket.write(HEAD);
  socket.write(bye);
  expect(wire.closed).toBe(true);
  wire.close(3003, 'revoked');
  socket.write(frame(2, true, Buffer.from('late')));
  socket.end();
  client.socket.on('end', () => client.socket.end());
  await client.closed;

  expect(splitHead(client.received).behind).toEqual(bye);
  await until(() => told.length > 0);
  expect(told).toEqual([[4001, 'hi']]);
});

test('a gateway that closes before anything was answered ends the socket', async () => {
  const { client, wire, told } = await wired();
  wire.close(1012, 'draining');
  await client.closed;

  expect(client.received).toHaveLength(0);
  await until(() => told.length > 0);
  expect(told).toEqual([[1006, 'client_gone']]);
});
