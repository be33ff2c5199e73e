import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { refusalBytes } from '../../../../services/gateway/fronts/refusal-bytes.ts';
import { refusalCodes, rowOf } from '../../../../shared/refusals.ts';

const ticketId = 'AbCdEfGhIjKlMnOpQrStUv';

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 25, 12, 0, 0, 900) }));
afterEach(() => void vi.useRealTimers());

describe.each(refusalCodes)('%s', (code) => {
  test.each([
    ['without a ticket', {}],
    ['of a ticket', { ticketId }],
  ])('%s is prepared as it would be written anew', (_name, of) => {
    // A detail of its own, were it the same, is written anew.
    const anew = refusalBytes({ code, ...of, detail: rowOf(code).detail });

    expect(refusalBytes({ code, ...of })).toBe(anew);
    expect(refusalBytes({ code, ...of }, 'HEAD')).toBe(anew.slice(0, anew.indexOf('\r\n\r\n') + 4));
  });
});

test('its date goes on, and back with the clock', () => {
  const dateOf = () => /^Date: (.*)$/m.exec(refusalBytes({ code: 'ticket_missing' }))?.[1]?.trim();
  expect(dateOf()).toBe('Wed, 25 Nov 2026 12:00:00 GMT');
  vi.setSystemTime(Date.UTC(2026, 10, 25, 12, 0, 1));
  expect(dateOf()).toBe('Wed, 25 Nov 2026 12:00:01 GMT');
  vi.setSystemTime(Date.UTC(2026, 10, 25, 11, 0, 0));
  expect(dateOf()).toBe('Wed, 25 Nov 2026 11:00:00 GMT');
});
