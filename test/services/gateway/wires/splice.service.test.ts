import type { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Connection } from '../../../../services/gateway/connections/connection.ts';
import { Splice } from '../../../../services/gateway/wires/splice.ts';
import type { Wire } from '../../../../services/gateway/wires/wire.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import { Random } from '../../../support/numbers/random.ts';
import { clientFrame, closeOf, type ReceivedFrame, strictFrames } from '../../../support/sockets/frames.ts';
import { serverFrame } from '../upstream/stage.ts';
import { endOf, socketPair } from './socket-pair.ts';

const CLOSE = 8;
const PING = 9;
const SESSION_MS = 1_000;
const PING_EVERY_MS = 2;

/** The search for the shortest counterexample ends after so long; it is printed with its seed. */
const PATIENCE_MS = 20_000;

/** A client and an upstream with a splice between them, over real sockets. The gateway pings all the time. */
async function splice() {
  const [clientSocket, fromClient] = await socketPair();
  const [toUpstream, upstreamSocket] = await socketPair();
  const [client, upstream] = [endOf(clientSocket), endOf(upstreamSocket)];
  let pings = (): void => {};
  let over = (_end: readonly [code: number, reason: string]): void => {};
  const ended = new Promise<readonly [code: number, reason: string]>((resolve) => {
    over = resolve;
  });
  const held: { connection?: Connection } = {};
  new Splice(
    { client: fromClient, upstream: toUpstream, maxMessageBytes: Number.MAX_SAFE_INTEGER, idleMs: 0 },
    (wire: Wire) => {
      const of = { id: 'id', attemptId: 'attempt', subject: 'ada', openedAt: 0, sessionExpiresAt: SESSION_MS, now: 0 };
      held.connection = new Connection({ ...of, wire });
      pings = () => wire.ping(() => {});
      return {
        heard: () => {},
        failed: (reason) => held.connection?.close(reason, 0),
        ended: (code, reason) => over([code, reason]),
      };
    },
  );
  const { connection } = held;
  if (connection === undefined) throw new Error('nobody was told of the wire');
  const timer = setInterval(pings, PING_EVERY_MS);
  clientSocket.on('data', pings);
  void ended.then(() => clearInterval(timer));
  atEnd(async () => {
    clearInterval(timer);
    for (const socket of [clientSocket, fromClient, toUpstream, upstreamSocket]) socket.destroy();
  });
  return {
    client,
    upstream,
    connection,
    ping: () => pings(),
    ended,
  };
}

const encodeAsServer = ({ opcode, payload, fin }: ReceivedFrame): Buffer => serverFrame(opcode, payload, { fin });
const encodeAsClient = ({ opcode, payload, fin }: ReceivedFrame): Buffer => clientFrame(opcode, payload, { fin });

/** Writes bytes in pieces of random sizes, in several turns of the event loop. */
async function write(socket: Socket, bytes: Buffer, random: Random, between: () => void = () => {}): Promise<void> {
  for (let at = 0; at < bytes.length && socket.writable; ) {
    const size = random.integer(1, random.pick([3, 20, 300, 5_000, 100_000]));
    const room = socket.write(bytes.subarray(at, at + size));
    between();
    if (!room) await new Promise<void>((resolve) => void socket.once('drain', resolve).once('close', resolve));
    else if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
    at += size;
  }
}

/** Where a stream stops, and how much of it a relay can have passed on by then: never an incomplete header. */
function stopIn(frames: readonly Buffer[], share: number): { stop: number; passed: number; inFrame: boolean } {
  const stop = Math.floor(share * frames.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const frame of frames) {
    if (stop < start + frame.length) {
      const short = frame.readUInt8(1) & 0x7f;
      const header = 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + (frame.readUInt8(1) & 0x80 ? 4 : 0);
      const isInPayload = stop - start >= header && stop > start;
      return { stop, passed: isInPayload ? stop : start, inFrame: isInPayload };
    }
    start += frame.length;
  }
  return { stop, passed: stop, inFrame: false };
}

const payload = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.oneof(fc.nat(maxLength), fc.integer({ min: 120, max: 130 }), fc.integer({ min: 65_530, max: 65_535 })),
      fc.uint8Array({ minLength: 1, maxLength: 7 }),
    )
    .map(([length, pattern]) => Buffer.alloc(Math.min(length, 65_535), Buffer.from(pattern)));

/** A control frame between the parts of a message; never empty, so that it is not taken for a ping of the gateway's. */
const control: fc.Arbitrary<ReceivedFrame> = fc.record({
  opcode: fc.constantFrom(PING, 10),
  fin: fc.constant(true),
  payload: fc.uint8Array({ minLength: 1, maxLength: 125 }).map((bytes) => Buffer.from(bytes)),
});

const part = fc.record({ payload: payload(3_000), behind: fc.array(control, { maxLength: 2 }) });

/** The frames of a message in parts, with others between them. */
function message(isFinished: boolean): fc.Arbitrary<ReceivedFrame[]> {
  const parts = fc.array(part, { minLength: isFinished ? 1 : 2, maxLength: 5 });
  return fc
    .tuple(fc.constantFrom(1, 2), parts)
    .map(([opcode, all]) =>
      all.flatMap(({ payload: bytes, behind }, index) => [
        { opcode: index === 0 ? opcode : 0, fin: isFinished && index === all.length - 1, payload: bytes },
        ...behind,
      ]),
    );
}

const stream: fc.Arbitrary<ReceivedFrame[]> = fc
  .array(message(true), { maxLength: 5 })
  .map((messages) => messages.flat());
const seed = fc.integer({ min: 0, max: 2 ** 31 });

/** Compares frames by their bytes: `toEqual` takes seconds for big ones. */
function expectSame(actual: readonly ReceivedFrame[], expected: readonly ReceivedFrame[]): void {
  const shape = ({ opcode, fin, payload: { length } }: ReceivedFrame) => ({ opcode, fin, length });
  expect(actual.map(shape)).toEqual(expected.map(shape));
  const bytes = (frames: readonly ReceivedFrame[]): Buffer => Buffer.concat(frames.map(({ payload: one }) => one));
  expect(bytes(actual).equals(bytes(expected))).toBe(true);
}

const isOwnPing = ({ opcode, payload: { length } }: ReceivedFrame): boolean => opcode === PING && length === 0;

/** How many of the gateway's pings came between the parts of a message. */
function pingsInMessages(frames: readonly ReceivedFrame[]): number {
  let count = 0;
  let isInMessage = false;
  for (const frame of frames) {
    if (isOwnPing(frame) && isInMessage) count += 1;
    if (frame.opcode < CLOSE) isInMessage = !frame.fin;
  }
  return count;
}

const closing = (code: number, reason: string): ReceivedFrame => {
  const bytes = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  bytes.writeUInt16BE(code);
  return { opcode: CLOSE, fin: true, payload: bytes };
};

describe('a splice', () => {
  test('passes both streams on as they are, however they are cut and however often it pings', async () => {
    let inMessages = 0;
    await fc.assert(
      fc.asyncProperty(stream, stream, seed, fc.boolean(), async (down, up, cuts, upstreamCloses) => {
        const { client, upstream, ping, ended } = await splice();
        const [randomDown, randomUp] = [new Random(cuts), new Random(cuts + 1)];
        await Promise.all([
          write(upstream.socket, Buffer.concat(down.map(encodeAsServer)), randomDown, ping),
          write(client.socket, Buffer.concat(up.map(encodeAsClient)), randomUp, ping),
        ]);
        const [downClose, upClose] = [closing(4001, 'of the upstream'), closing(4002, 'of the client')];
        const sayDown = () => write(upstream.socket, encodeAsServer(downClose), randomDown, ping);
        const sayUp = () => write(client.socket, encodeAsClient(upClose), randomUp, ping);
        const closes = [
          [sayDown, client, false],
          [sayUp, upstream, true],
        ] as const;
        for (const [say, heardBy, masked] of upstreamCloses ? closes : closes.toReversed()) {
          await say();
          await until(() => strictFrames(heardBy.received(), { masked, open: true }).at(-1)?.opcode === CLOSE);
        }
        upstream.socket.end();
        await client.ended;
        client.socket.end();

        expect(await ended).toEqual(upstreamCloses ? [4001, 'of the upstream'] : [4002, 'of the client']);
        const frames = strictFrames(client.received());
        inMessages += pingsInMessages(frames);
        expectSame(
          frames.filter((frame) => !isOwnPing(frame)),
          [...down, downClose],
        );
        expectSame(strictFrames(upstream.received(), { masked: true }), [...up, upClose]);
      }),
      { numRuns: 100, interruptAfterTimeLimit: PATIENCE_MS },
    );
    expect(inMessages).toBeGreaterThan(0);
  });

  const reasons = [
    ['revoked', 3003],
    ['session_expired', 3000],
  ] as const;

  test.each(reasons)(
    'closes with %s in the middle of a message, behind a frame and never inside of one',
    async (reason, code) => {
      let inFrame = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.record({ before: stream, unfinished: message(false), up: stream, seed }),
          fc.record({
            down: fc.double({ min: 0, max: 1, noNaN: true }),
            up: fc.double({ min: 0, max: 1, noNaN: true }),
          }),
          async ({ before, unfinished, up, seed: cuts }, share) => {
            const { client, upstream, connection, ping, ended } = await splice();
            const [randomDown, randomUp] = [new Random(cuts), new Random(cuts + 1)];
            const [first, ...rest] = unfinished.map(encodeAsServer);
            const begun = Buffer.concat([...before.map(encodeAsServer), first ?? Buffer.alloc(0)]);
            const downStop = stopIn(rest, share.down);
            const upFrames = up.map(encodeAsClient);
            const upBytes = Buffer.concat(upFrames);
            const upStop = stopIn(upFrames, share.up);
            inFrame += downStop.inFrame ? 1 : 0;

            await Promise.all([
              write(upstream.socket, begun, randomDown, ping),
              write(client.socket, upBytes.subarray(0, upStop.stop), randomUp, ping),
            ]);
            const heard = () => strictFrames(client.received(), { open: true }).filter((frame) => !isOwnPing(frame));
            await until(() => heard().length > before.length);
            await until(() => upstream.received().length === upStop.passed);
            const restBytes = Buffer.concat(rest);
            await write(upstream.socket, restBytes.subarray(0, downStop.stop), randomDown, ping);
            if (reason === 'revoked') connection.close(reason, 0);
            else connection.tick(SESSION_MS, SESSION_MS);
            await write(upstream.socket, restBytes.subarray(downStop.stop), randomDown, ping);
            await until(() => heard().at(-1)?.opcode === CLOSE);
            // What the client had begun it finishes, and then it answers.
            const boundary = upFrames.reduce((at, { length }) => (at >= upStop.stop ? at : at + length), 0);
            await write(client.socket, upBytes.subarray(upStop.stop, boundary), randomUp);
            await write(client.socket, encodeAsClient(closing(code, reason)), randomUp);
            await client.ended;
            client.socket.end();
            await upstream.ended;
            upstream.socket.end();

            await ended;
            const frames = strictFrames(client.received());
            const theirs = frames.filter((frame) => !isOwnPing(frame)).slice(0, -1);
            expect(closeOf(frames.at(-1))).toEqual([code, reason]);
            expectSame(theirs, [...before, ...unfinished].slice(0, theirs.length));
            expect(theirs.findLast(({ opcode }) => opcode < CLOSE)?.fin).toBe(false);

            const toUpstream = upstream.received();
            if (upStop.inFrame) {
              // No Close fits into a frame of the client's: the end of the stream has to say it.
              expect(toUpstream.equals(upBytes.subarray(0, upStop.passed))).toBe(true);
            } else {
              const whole = strictFrames(toUpstream, { masked: true });
              expect(closeOf(whole.at(-1))).toEqual([code, reason]);
              expectSame(whole.slice(0, -1), up.slice(0, whole.length - 1));
              expect(toUpstream.subarray(0, upStop.passed).equals(upBytes.subarray(0, upStop.passed))).toBe(true);
            }
          },
        ),
        { numRuns: 100, interruptAfterTimeLimit: PATIENCE_MS },
      );
      expect(inFrame).toBeGreaterThan(0);
    },
  );
});
