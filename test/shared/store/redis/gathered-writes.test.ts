import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { GatheredWrites } from '../../../../shared/store/redis/gathered-writes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Sends commands at a steady pace. @returns the moment after the last of them */
function send(writes: GatheredWrites, { from, everyMs, count }: { from: number; everyMs: number; count: number }) {
  for (let sent = 0; sent < count; sent += 1) writes.gather(from + sent * everyMs);
  return from + count * everyMs;
}

describe('commands', () => {
  test('go at once in quiet times', () => {
    const stream = new Socket();
    const writes = new GatheredWrites(() => [stream]);
    send(writes, { from: 0, everyMs: 2, count: 100 });

    expect(stream.writableCorked).toBe(0);
  });

  test('go at once if only a few come together', () => {
    const stream = new Socket();
    const writes = new GatheredWrites(() => [stream]);
    const quiet = send(writes, { from: 0, everyMs: 10, count: 10 });
    send(writes, { from: quiet, everyMs: 0, count: 4 });

    expect(stream.writableCorked).toBe(0);
  });

  test('wait a millisecond for each other in busy times', () => {
    const stream = new Socket();
    const writes = new GatheredWrites(() => [stream]);
    const busy = send(writes, { from: 0, everyMs: 0.1, count: 50 });
    expect(stream.writableCorked).toBe(1);

    vi.advanceTimersByTime(1);
    expect(stream.writableCorked).toBe(0);
    writes.gather(busy);
    expect(stream.writableCorked).toBe(1);
  });

  test('go at once again when the busy time is over', () => {
    const stream = new Socket();
    const writes = new GatheredWrites(() => [stream]);
    const busy = send(writes, { from: 0, everyMs: 0.1, count: 50 });
    vi.advanceTimersByTime(1);
    send(writes, { from: busy + 1_000, everyMs: 2, count: 10 });
    vi.advanceTimersByTime(1);

    expect(stream.writableCorked).toBe(0);
    writes.gather(busy + 2_000);
    expect(stream.writableCorked).toBe(0);
  });

  test('are gathered on the current streams, and sent on the same ones', () => {
    const [before, after] = [new Socket(), new Socket()];
    let stream = before;
    const writes = new GatheredWrites(() => [stream]);
    const busy = send(writes, { from: 0, everyMs: 0.1, count: 50 });
    stream = after;
    vi.advanceTimersByTime(1);
    expect([before.writableCorked, after.writableCorked]).toEqual([0, 0]);

    writes.gather(busy);
    expect([before.writableCorked, after.writableCorked]).toEqual([0, 1]);
  });
});
