import { describe, expect, test } from 'vitest';
import { ConnectRefused, clientCodes } from '../../../client/errors/connect-refused.ts';
import { ConnectionEnded } from '../../../client/errors/connection-ended.ts';
import {
  closeRetry,
  retryAfterSeconds,
  temporaryCloseCodes,
  unexpectedRetry,
} from '../../../client/errors/generated.ts';
import {
  closeCodes,
  temporaryCloseCodes as closeCodesWithoutReason,
  closeReasons,
} from '../../../shared/close-codes.ts';
import { refusalCodes, rowOf } from '../../../shared/refusals.ts';

describe('a refusal of the table', () => {
  test.each(refusalCodes)('%s has the values of its row', (code) => {
    const { status, retry, retryAfterSeconds } = rowOf(code);
    expect(new ConnectRefused(code, { status })).toMatchObject({ code, status, retry, retryAfter: retryAfterSeconds });
  });

  test('upstream_refused is final with every status', () => {
    for (const status of [400, 401, 429, 502]) {
      expect(new ConnectRefused('upstream_refused', { status }).retry).toBe('never');
    }
  });

  test.each(['constructor', 'toString', '__proto__'])('%s, which is a property of every object, has no row', (code) => {
    // Another service may send such a code.
    expect(new ConnectRefused(code as 'draining', { status: 403 })).toMatchObject({
      message: `${code}: refused`,
      retry: 'never',
      retryAfter: undefined,
    });
  });

  test('is one, for each code in the tables of the client', () => {
    expect(refusalCodes).toEqual(expect.arrayContaining(Object.keys({ ...retryAfterSeconds, ...unexpectedRetry })));
  });
});

describe('a refusal that the client finds out by itself', () => {
  test.each(Object.entries(clientCodes))('%s has the values of its row', (code, { retry, advice }) => {
    const refused = new ConnectRefused(code as keyof typeof clientCodes); // a key of that object
    expect(refused).toMatchObject({ code, status: undefined, retry, retryAfter: undefined, ticketId: undefined });
    expect(refused.message).toBe(`${code}: ${advice}`);
  });

  test('has a code that is not in the table', () => {
    expect(refusalCodes.filter((code) => code in clientCodes)).toEqual([]);
  });
});

test('what the service says of a refusal goes before the table', () => {
  const details = { status: 503, retry: 'never', retryAfter: 77, message: 'closed for the day' } as const;
  expect(new ConnectRefused('draining', details)).toMatchObject({
    retry: 'never',
    retryAfter: 77,
    message: 'draining: closed for the day',
  });
});

describe('a close reason of the table', () => {
  test.each(closeReasons)('%s has the values of its row', (reason) => {
    const { code, retry } = closeCodes[reason];
    expect(new ConnectionEnded(code, reason)).toMatchObject({ code: reason, closeCode: code, retry });
  });

  test('is known to the client, and no other reason', () => {
    expect(Object.keys(closeRetry)).toEqual(closeReasons);
  });

  test('without a reason of the gateway is worth another attempt by its code', () => {
    expect(temporaryCloseCodes).toEqual(Object.keys(closeCodesWithoutReason).map(Number));
  });
});
