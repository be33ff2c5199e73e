import { describe, expect, test } from 'vitest';
import { ConnectionEnded } from '../../../client/errors/connection-ended.ts';
import { nextWaitMs } from '../../../client/waiting/backoff.ts';
import { drainDetail } from '../../../shared/close-codes.ts';

describe('the end of a connection', () => {
  test('has the reason of the gateway', () => {
    expect(new ConnectionEnded(3003, 'replaced')).toMatchObject({
      name: 'ConnectionEnded',
      message: 'The connection ended: 3003 replaced',
      code: 'replaced',
      closeCode: 3003,
      retry: 'never',
      spreadSeconds: undefined,
    });
  });

  test.each([
    ['draining;spread_seconds=30', 30],
    ['draining;spread_seconds=0', undefined],
    ['draining;spread_seconds=0;spread', undefined],
    ['draining;spread_seconds=soon', undefined],
    ['draining', undefined],
  ])('with the reason %s has a spread of %s s', (reason, spreadSeconds) => {
    expect(new ConnectionEnded(1012, reason)).toMatchObject({ code: 'draining', retry: 'reissue', spreadSeconds });
  });

  test.each([1001, 1005, 1006, 1011, 1012, 1013, 1014])('with %i and no reason has retry backoff', (closeCode) => {
    expect(new ConnectionEnded(closeCode, '')).toMatchObject({ code: 'closed', closeCode, retry: 'backoff' });
  });

  test.each([1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4999])(
    'with %i and no reason has retry never',
    (code) => {
      expect(new ConnectionEnded(code, '')).toMatchObject({ code: 'closed', retry: 'never' });
    },
  );

  test.each(['constructor', 'toString', '__proto__', 'bye'])(
    'with the reason "%s" of a back end has the code closed',
    (reason) => {
      expect(new ConnectionEnded(1006, reason)).toMatchObject({ code: 'closed', retry: 'backoff' });
      expect(new ConnectionEnded(1000, reason)).toMatchObject({ code: 'closed', retry: 'never' });
    },
  );

  test('is an Error of its own class', () => {
    const ended = new ConnectionEnded(1006, '');
    expect(ended).toBeInstanceOf(Error);
    expect(ended).toBeInstanceOf(ConnectionEnded);
  });
});

test.each([1, 30, 3_600])('a client that a drain of %i s has closed comes back within a second', (drainSeconds) => {
  const { spreadSeconds } = new ConnectionEnded(1012, `draining${drainDetail(drainSeconds)}`);
  expect(nextWaitMs({ retry: 'backoff', spreadSeconds }, 1, {}, 0.999)).toBeLessThan(1_000);
});
