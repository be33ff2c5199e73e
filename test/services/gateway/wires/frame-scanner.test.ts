import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FrameHeader, FrameScanner } from '../../../../services/gateway/wires/frame-scanner.ts';
import { closingOf } from '../../../../services/gateway/wires/own-frames.ts';
import { clientFrame } from '../../../support/sockets/frames.ts';

/** A frame of a server: without a mask, its length in as many bytes as asked for. */
function serverFrame(
  opcode: number,
  payload: Buffer,
  { fin = true, wide = 0 }: { fin?: boolean; wide?: 0 | 2 | 8 } = {},
) {
  const head = Buffer.alloc(2 + wide);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = wide === 0 ? payload.length : wide === 2 ? 126 : 127;
  if (wide === 2) head.writeUInt16BE(payload.length, 2);
  if (wide === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

const anyFrame = fc
  .record({
    opcode: fc.constantFrom(0, 1, 2, 8, 9, 10),
    fin: fc.boolean(),
    payload: fc.uint8Array({ maxLength: 300 }),
    masked: fc.boolean(),
    wide: fc.constantFrom(2 as const, 8 as const),
  })
  .map(({ opcode, fin, payload, masked, wide }) => {
    const bytes = Buffer.from(opcode >= 8 ? payload.subarray(0, 125) : payload);
    const isFinal = fin || opcode >= 8;
    if (masked) return clientFrame(opcode, bytes, { fin: isFinal });
    return serverFrame(opcode, bytes, { fin: isFinal, wide: bytes.length < 126 && opcode >= 8 ? 0 : wide });
  });

/** Cuts bytes at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, index) => bytes.subarray(start, at[index] ?? bytes.length));
}

describe('a frame scanner', () => {
  test('passes any stream on to the byte, however it is cut, and finds every frame', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, places) => {
        const seen: FrameHeader[] = [];
        const scanner = new FrameScanner((header) => {
          seen.push(header);
          return true;
        });
        const stream = Buffer.concat(frames);
        const passed = cut(stream, places).map((chunk) => scanner.scan(chunk).pass);

        expect(Buffer.concat([...passed, scanner.held])).toEqual(stream);
        expect(scanner.atBoundary).toBe(true);
        expect(scanner.held).toHaveLength(0);
        expect(seen).toHaveLength(frames.length);
      }),
      { numRuns: 300 },
    );
  });

  test('names a boundary only where a frame ends', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (frames, places) => {
          const ends = new Set([0]);
          for (const frame of frames) ends.add(Math.max(...ends) + frame.length);
          const scanner = new FrameScanner(() => true);
          let passed = 0;
          for (const chunk of cut(Buffer.concat(frames), places)) {
            const { pass, boundary } = scanner.scan(chunk);
            if (boundary >= 0) expect(ends).toContain(passed + boundary);
            passed += pass.length;
            expect(scanner.atBoundary).toBe(ends.has(passed));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('adds up the fragments of a message, and not the control frames between them', () => {
    const sizes: number[] = [];
    const scanner = new FrameScanner(({ messageBytes }) => {
      sizes.push(messageBytes);
      return true;
    });
    scanner.scan(
      Buffer.concat([
        clientFrame(1, 'abc', { fin: false }),
        clientFrame(9, 'ping'),
        clientFrame(0, 'de', { fin: false }),
        clientFrame(0, 'f'),
        clientFrame(2, 'xy'),
      ]),
    );

    expect(sizes).toEqual([3, 0, 5, 6, 2]);
  });

  test('counts the fragments of a message, empty ones too, and not the control frames between them', () => {
    const counts: number[] = [];
    const scanner = new FrameScanner(({ fragments }) => counts.push(fragments) > 0);
    const frames = [
      ...[clientFrame(1, '', { fin: false }), clientFrame(9, 'ping'), clientFrame(0, '', { fin: false })],
      ...[clientFrame(0, ''), clientFrame(2, 'xy', { fin: false }), clientFrame(2, 'in it', { fin: false })],
      ...[clientFrame(8, ''), clientFrame(0, ''), clientFrame(1, 'z')],
    ];
    for (const chunk of cut(Buffer.concat(frames), [3, 9, 10, 21])) scanner.scan(chunk);

    expect(counts).toEqual([1, 0, 2, 3, 1, 2, 0, 3, 1]);
  });

  test('passes nothing on from a frame that is not taken', () => {
    const scanner = new FrameScanner(({ length }) => length < 10);
    const [small, big, behind] = [clientFrame(2, 'small'), clientFrame(2, 'x'.repeat(50)), clientFrame(2, 'later')];
    const { pass, stopped } = scanner.scan(Buffer.concat([small, big, behind]));

    expect(stopped).toBe(true);
    expect(pass).toEqual(small);
  });

  test('takes a length of 64 bits for what it is, and one that no number can hold for endless', () => {
    const lengths: number[] = [];
    const scanner = new FrameScanner(({ length }) => lengths.push(length) > 0);
    const head = Buffer.from([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]);
    scanner.scan(head);
    expect(scanner.atBoundary).toBe(false);
    const endless = new FrameScanner(({ length }) => lengths.push(length) > 0);
    endless.scan(Buffer.from([0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));

    expect(lengths).toEqual([2 ** 32, Number.POSITIVE_INFINITY]);
  });

  test.each([1, 2, 3, 6, 7, 20])('reads a Close of a client that comes in two parts, cut at byte %i', (place) => {
    const closings: unknown[] = [];
    const scanner = new FrameScanner(({ close }) => {
      if (close !== undefined) closings.push(closingOf(close));
      return true;
    });
    const payload = Buffer.concat([Buffer.from([0x0f, 0xa1]), Buffer.from('see you later')]);
    const frame = clientFrame(8, payload);
    const passed = cut(frame, [place]).map((chunk) => scanner.scan(chunk).pass);

    expect(Buffer.concat(passed)).toEqual(frame);
    expect(closings).toEqual([{ code: 4001, reason: 'see you later' }]);
  });
});
