import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GatheredLines } from '../../../shared/process/gathered-lines.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function gathered() {
  const written: string[] = [];
  return {
    written,
    lines: new GatheredLines({
      write: (text) => void written.push(text),
      flushSync: () => void written.push('(flushed)'),
    }),
  };
}

test('lines are written together, in their order, after a tenth of a second', () => {
  const { written, lines } = gathered();
  lines.write('one\n');
  vi.advanceTimersByTime(60);
  lines.write('two\n');
  expect(written).toEqual([]);

  vi.advanceTimersByTime(40);
  expect(written).toEqual(['one\ntwo\n']);
  lines.write('three\n');
  vi.advanceTimersByTime(100);
  expect(written).toEqual(['one\ntwo\n', 'three\n']);
});

test('many lines are written at once', () => {
  const { written, lines } = gathered();
  const line = `${'x'.repeat(99)}\n`;
  for (let index = 0; index < 328; index += 1) lines.write(line);

  expect(written).toEqual([line.repeat(328)]);
  vi.advanceTimersByTime(1_000);
  expect(written).toHaveLength(1);
});

test('what waits is written where the process ends, once', () => {
  const { written, lines } = gathered();
  lines.write('last\n');
  lines.flushSync();
  lines.flush();
  vi.advanceTimersByTime(1_000);

  expect(written).toEqual(['last\n', '(flushed)']);
});
