import { describe, expect, test } from 'vitest';
import { refusalCodes, refusals, rowOf } from '../../shared/refusals.ts';

/** The table of the protocol: code, status, retry. A code that was ever released stays in it. */
const protocol: ReadonlyArray<readonly [code: string, status: number, retry: string]> = [
  ['credentials_missing', 401, 'never'],
  ['credentials_invalid', 401, 'never'],
  ['csrf_refused', 403, 'never'],
  ['subject_refused', 403, 'never'],
  ['origin_refused', 403, 'never'],
  ['request_malformed', 400, 'never'],
  ['request_invalid', 422, 'never'],
  ['payload_too_large', 413, 'never'],
  ['request_timeout', 408, 'backoff'],
  ['not_found', 404, 'never'],
  ['method_not_allowed', 405, 'never'],
  ['rate_limited', 429, 'backoff'],
  ['pending_limit', 429, 'backoff'],
  ['handshake_malformed', 400, 'never'],
  ['upgrade_required', 426, 'never'],
  ['ticket_missing', 401, 'reissue'],
  ['ticket_malformed', 401, 'reissue'],
  ['ticket_unknown', 401, 'reissue'],
  ['ticket_expired', 401, 'reissue'],
  ['ticket_consumed', 401, 'reissue'],
  ['ticket_revoked', 401, 'reissue'],
  ['audience_refused', 403, 'never'],
  ['path_refused', 403, 'never'],
  ['address_refused', 403, 'never'],
  ['connection_limit', 429, 'backoff'],
  ['draining', 503, 'backoff'],
  ['overloaded', 503, 'backoff'],
  ['store_unavailable', 503, 'backoff'],
  ['authentication_unavailable', 503, 'backoff'],
  ['upstream_unreachable', 502, 'backoff'],
  ['upstream_timeout', 504, 'backoff'],
  ['upstream_refused', 502, 'never'],
];

describe('the table of refusals', () => {
  test('is the table of the protocol', () => {
    expect(refusalCodes.map((code) => [code, refusals[code].status, refusals[code].retry])).toStrictEqual(protocol);
  });

  for (const code of refusalCodes) {
    test(`has a complete row for ${code}`, () => {
      const row = rowOf(code);

      expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
      expect(['never', 'reissue', 'backoff']).toContain(row.retry);
      expect(row.status).toBeGreaterThanOrEqual(400);
      expect(row.status).toBeLessThan(600);
      // RFC 9457 §3.1.3: a title is a short summary. The detail says what to do, in sentences.
      expect(row.title).toMatch(/^[A-Z][^.]{5,60}$/);
      expect(row.detail).toMatch(/^[A-Z].*\.$/);
      if (row.status === 429 || row.status === 503) {
        expect(row.retryAfterSeconds).toBeGreaterThan(0);
        expect(Number.isInteger(row.retryAfterSeconds)).toBe(true);
      } else {
        expect(row).not.toHaveProperty('retryAfterSeconds');
      }
      if (row.retryAfterSeconds !== undefined) expect(row.retry).toBe('backoff');
    });
  }

  test('says nothing twice', () => {
    expect(new Set(refusalCodes.map((code) => refusals[code].title)).size).toBe(refusalCodes.length);
    expect(new Set(refusalCodes.map((code) => refusals[code].detail)).size).toBe(refusalCodes.length);
  });
});
