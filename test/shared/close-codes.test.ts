import { describe, expect, test } from 'vitest';
import { ABNORMAL_CLOSURE, closeCodes, closeReasons } from '../../shared/close-codes.ts';

/** The table of the protocol: reason, code, retry. */
const protocol: ReadonlyArray<readonly [reason: string, code: number, retry: string]> = [
  ['going_away', 1001, 'reissue'],
  ['slow_consumer', 1008, 'backoff'],
  ['message_rate', 1008, 'backoff'],
  ['too_many_fragments', 1008, 'never'],
  ['message_too_big', 1009, 'never'],
  ['draining', 1012, 'reissue'],
  ['upstream_lost', 1013, 'backoff'],
  ['session_expired', 3000, 'never'],
  ['revoked', 3003, 'never'],
  ['replaced', 3003, 'never'],
  ['heartbeat_missed', 3008, 'reissue'],
];

describe('the table of close codes', () => {
  test('is the table of the protocol', () => {
    const rows = closeReasons.map((reason) => [reason, closeCodes[reason].code, closeCodes[reason].retry]);
    expect(rows).toStrictEqual(protocol);
  });

  for (const reason of closeReasons) {
    test(`has a row for ${reason} that may be sent in a Close frame`, () => {
      const { code, retry, when } = closeCodes[reason];

      expect(reason).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
      // RFC 6455 §7.4.1 and §7.4.2: 1005, 1006 and 1015 are never sent, 1004 is reserved.
      expect(
        (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 3999),
      ).toBe(true);
      expect(['never', 'reissue', 'backoff']).toContain(retry);
      expect(when).not.toBe('');
      // RFC 6455 §5.5: 125 bytes less the two of the code, the parameter of `draining` included.
      expect(Buffer.byteLength(`${reason};spread_seconds=86400`)).toBeLessThanOrEqual(123);
    });
  }

  test('sends no code for a connection that ended without a Close frame', () => {
    expect(ABNORMAL_CLOSURE).toBe(1006);
    expect(closeReasons.map((reason): number => closeCodes[reason].code)).not.toContain(ABNORMAL_CLOSURE);
  });
});
