import { describe, expect, test } from 'vitest';
import { WindowCounts } from '../../../shared/limits/window-counts.ts';

describe('counts of a window', () => {
  test('begin with the first, and end all at once', () => {
    let now = 5;
    const counts = new WindowCounts({ windowMs: 100, now: () => now });
    expect(counts.get('a')).toEqual({ count: 0, resetMs: 0 });
    counts.add('a');
    now += 99;
    counts.add('a');
    expect(counts.get('a')).toEqual({ count: 2, resetMs: 1 });
    now += 1;
    expect(counts.get('a')).toEqual({ count: 0, resetMs: 0 });
    counts.add('a');
    expect(counts.get('a')).toEqual({ count: 1, resetMs: 100 });
    expect(counts.get('b')).toEqual({ count: 0, resetMs: 0 });
  });

  test('take over a higher count of somebody else, and no lower one', () => {
    const counts = new WindowCounts({ windowMs: 100, now: () => 0 });
    counts.add('a');
    counts.raise('a', { count: 7, resetMs: 30 });
    counts.raise('a', { count: 2, resetMs: 90 });

    expect(counts.get('a')).toEqual({ count: 7, resetMs: 30 });
  });

  test('are kept for so many keys, and the oldest goes', () => {
    const counts = new WindowCounts({ maxKeys: 2, now: () => 0 });
    for (const key of ['a', 'b', 'c']) counts.add(key);

    expect(['a', 'b', 'c'].map((key) => counts.get(key).count)).toEqual([0, 1, 1]);
  });
});
