import { describe, expect, test } from 'vitest';
import { type Advice, nextWaitMs } from '../../../client/waiting/backoff.ts';

const ALMOST_ONE = 1 - 2 ** -20;

describe('the wait before the next attempt', () => {
  test('is null for never', () => {
    expect(nextWaitMs({ retry: 'never' }, 0, {}, 0)).toBeNull();
    expect(nextWaitMs({ retry: 'never', retryAfter: 5, spreadSeconds: 5 }, 3, {}, 0.5)).toBeNull();
  });

  test.each([
    [0, 500],
    [1, 1_000],
    [2, 2_000],
    [5, 16_000],
    [6, 30_000],
    [2_000, 30_000],
  ])('after %i failures is a random part of %i ms', (failures, longestMs) => {
    expect(nextWaitMs({ retry: 'backoff' }, failures, {}, 0)).toBe(0);
    expect(nextWaitMs({ retry: 'backoff' }, failures, {}, 0.5)).toBe(longestMs / 2);
    expect(nextWaitMs({ retry: 'backoff' }, failures, {}, ALMOST_ONE)).toBeLessThan(longestMs);
  });

  test('stays within the bounds of the application', () => {
    const backoff = { baseMs: 10, maxMs: 25 };
    const longest = [0, 1, 2, 3].map((failures) => nextWaitMs({ retry: 'backoff' }, failures, backoff, 1));
    expect(longest).toEqual([10, 20, 25, 25]);
  });

  test('is 0 after a first failure with reissue, and longer after a second', () => {
    expect(nextWaitMs({ retry: 'reissue' }, 0, {}, 0.5)).toBe(0);
    expect(nextWaitMs({ retry: 'reissue' }, 1, {}, 0.5)).toBe(500);
  });

  test.each<Advice['retry']>(['backoff', 'reissue'])('with %s is at least what Retry-After says', (retry) => {
    expect(nextWaitMs({ retry, retryAfter: 7 }, 0, {}, 0)).toBe(7_000);
    expect(nextWaitMs({ retry: 'backoff', retryAfter: 90 }, 9, {}, 0.5)).toBe(90_000 + 15_000);
  });

  test.each([-1_000, Number.NaN, 'soon' as never])('is not shortened by a Retry-After of %s', (retryAfter) => {
    expect(nextWaitMs({ retry: 'backoff', retryAfter }, 2, {}, 0.5)).toBe(1_000);
  });

  test('is a random part of the spread, if that is longer', () => {
    expect(nextWaitMs({ retry: 'reissue', spreadSeconds: 60 }, 1, {}, 0.5)).toBe(30_000);
    expect(nextWaitMs({ retry: 'reissue', spreadSeconds: 60 }, 0, {}, 0.5)).toBe(30_000);
    expect(nextWaitMs({ retry: 'backoff', spreadSeconds: 1 }, 3, {}, 0.5)).toBe(2_000);
  });
});
