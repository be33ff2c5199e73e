import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameInserter } from '../../../../services/gateway/wires/frame-inserter.ts';
import { closeOf, strictFrames } from '../../../support/sockets/frames.ts';
import { serverFrame } from '../upstream/stage.ts';

const CLOSE = 8;
const PING = 9;
const BYE = serverFrame(CLOSE, Buffer.from([0x0f, 0xa1]));
const HELLO = serverFrame(1, 'hello');
const WORLD = serverFrame(1, 'world');

/** An inserter that takes every frame, with all that the client was sent. */
function inserter(takes: () => boolean = () => true) {
  const frames = new FrameInserter(takes);
  const sent: Buffer[] = [];
  const pass = (bytes?: Buffer): void => {
    const { pass: before, inserted } = frames.pass(bytes);
    sent.push(before, ...(inserted ? [...inserted.own, inserted.behind] : []));
  };
  const client = (): Buffer => Buffer.concat(sent);
  return { frames, pass, client, opcodes: () => strictFrames(client(), { open: true }).map(({ opcode }) => opcode) };
}

describe('a frame inserter', () => {
  test('passes on what it is given, byte for byte, while nothing waits', () => {
    const { frames, pass, client } = inserter();
    pass(HELLO.subarray(0, 4));
    pass(Buffer.concat([HELLO.subarray(4), WORLD]));

    expect(client()).toEqual(Buffer.concat([HELLO, WORLD]));
    expect(frames.phase).toBe('open');
  });

  test('inserts a ping at once between two frames', () => {
    const { frames, pass, opcodes } = inserter();
    pass(HELLO);
    frames.ping();
    pass();

    expect(opcodes()).toEqual([1, PING]);
  });

  test('inserts a ping behind the frame that is under way, ahead of the next', () => {
    const { frames, pass, client, opcodes } = inserter();
    pass(HELLO.subarray(0, 4));
    frames.ping();
    pass();
    expect(client()).toEqual(HELLO.subarray(0, 4));
    pass(Buffer.concat([HELLO.subarray(4), WORLD]));

    expect(opcodes()).toEqual([1, PING, 1]);
  });

  test('inserts a ping ahead of a header that is not complete', () => {
    const { frames, pass, opcodes } = inserter();
    pass(Buffer.concat([HELLO, WORLD.subarray(0, 1)]));
    frames.ping();
    pass();
    expect(opcodes()).toEqual([1, PING]);
    pass(WORLD.subarray(1));

    expect(opcodes()).toEqual([1, PING, 1]);
  });

  test('keeps one ping waiting, and takes another once that was inserted', () => {
    const { frames, pass, opcodes } = inserter();
    pass(HELLO.subarray(0, 4));
    frames.ping();
    frames.ping();
    pass(HELLO.subarray(4));
    frames.ping();
    pass();

    expect(opcodes()).toEqual([1, PING, PING]);
  });

  test('tells of a frame that was not taken, and passes nothing from it on', () => {
    const { frames } = inserter(() => false);

    expect(frames.pass(HELLO)).toMatchObject({ pass: Buffer.alloc(0), stopped: true });
  });

  test('never sends half a frame, or anything behind a Close, whatever happens in which order', () => {
    const frame = fc
      .record({ opcode: fc.constantFrom(2, 10), payload: fc.uint8Array({ minLength: 1, maxLength: 200 }) })
      .map(({ opcode, payload }) => serverFrame(opcode, Buffer.from(payload.subarray(0, opcode === 10 ? 125 : 200))));
    const steps = fc.array(fc.constantFrom('ping', 'close', 'insert', 1, 2, 3, 50, 400), { maxLength: 60 });
    let inserted = 0;
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.boolean(), steps, (theirs, closes, actions) => {
        const { frames, pass, client } = inserter();
        const stream = Buffer.concat([...theirs, ...(closes ? [BYE] : [])]);
        let at = 0;
        for (const action of actions) {
          if (action === 'ping') frames.ping();
          else if (action === 'close') frames.close(3003, 'revoked');
          else if (typeof action === 'string') pass();
          else {
            pass(stream.subarray(at, at + action));
            at += action;
          }
        }
        // Throws at a byte behind a Close, and at a frame inside another.
        const sent = strictFrames(client(), { open: true });
        const own = sent.filter(
          ({ opcode, payload }) => opcode === PING || closeOf({ opcode, payload, fin: true })?.[0] === 3003,
        );
        inserted += own.length;
        const others = sent
          .filter((one) => !own.includes(one))
          .map(({ opcode, payload }) => serverFrame(opcode, payload));
        const bytes = Buffer.concat(others);
        expect(bytes.equals(stream.subarray(0, bytes.length))).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(inserted).toBeGreaterThan(0);
  });
});

describe('the phase of the stream to a client', () => {
  test('is closing while the Close frame waits for a boundary, and closed behind it: the rest is dropped', () => {
    const { frames, pass, client, opcodes } = inserter();
    pass(HELLO.subarray(0, 4));
    frames.close(3003, 'revoked');
    pass();
    expect(frames.phase).toBe('closing');
    pass(Buffer.concat([HELLO.subarray(4), WORLD]));
    expect(frames.phase).toBe('closed');
    pass(WORLD);

    expect(opcodes()).toEqual([1, CLOSE]);
    expect(closeOf(strictFrames(client()).at(-1))).toEqual([3003, 'revoked']);
  });

  test('stays closing under further pings and Close frames, which are not added', () => {
    const { frames, pass, client, opcodes } = inserter();
    pass(HELLO.subarray(0, 4));
    frames.ping();
    frames.close(3003, 'revoked');
    frames.ping();
    frames.close(1012, 'draining');
    pass(HELLO.subarray(4));
    frames.ping();
    pass();

    expect(opcodes()).toEqual([1, PING, CLOSE]);
    expect(closeOf(strictFrames(client()).at(-1))).toEqual([3003, 'revoked']);
  });

  test('is closed by a Close frame of the sender’s: no own frame follows, nor later bytes', () => {
    const { frames, pass, client } = inserter();
    pass(Buffer.concat([HELLO, BYE]));
    expect(frames.phase).toBe('closed');
    frames.ping();
    frames.close(3003, 'revoked');
    pass();
    pass(WORLD);

    expect(client()).toEqual(Buffer.concat([HELLO, BYE]));
    expect(frames.phase).toBe('closed');
  });

  test('is closed by the gateway’s Close frame, if one of the sender’s comes right behind the boundary', () => {
    const { frames, pass, client } = inserter();
    pass(HELLO.subarray(0, 4));
    frames.close(3003, 'revoked');
    pass(Buffer.concat([HELLO.subarray(4), BYE]));

    expect(strictFrames(client()).slice(1).map(closeOf)).toEqual([[3003, 'revoked']]);
    expect(frames.phase).toBe('closed');
  });

  test.each<readonly [string, (frames: FrameInserter) => void]>([
    ['open', () => {}],
    ['closing', (frames) => frames.close(3003, 'revoked')],
    [
      'closed',
      (frames) => {
        frames.pass(HELLO.subarray(4));
        frames.close(3003, 'revoked');
        frames.pass();
      },
    ],
  ])('goes from %s to ended, and then nothing more is sent', (from, lead) => {
    const { frames, pass, client } = inserter();
    pass(HELLO.subarray(0, 4));
    lead(frames);
    expect(frames.phase).toBe(from);
    const before = client();
    frames.end();
    frames.ping();
    frames.close(1012, 'draining');
    pass(Buffer.concat([HELLO.subarray(4), WORLD]));

    expect(frames.phase).toBe('ended');
    expect(client()).toEqual(before);
  });
});
