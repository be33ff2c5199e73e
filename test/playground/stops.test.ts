import { describe, expect, test } from 'vitest';
import type { TicketRecord } from '../../playground/record.ts';
import { stopsOf } from '../../playground/stops.ts';

const START = Date.parse('2026-11-24T12:00:00.000Z');
const at = (ms: number): string => new Date(START + ms).toISOString();

function record(fields: Partial<TicketRecord> = {}): TicketRecord {
  return {
    id: 'AAAAAAAAAAAAAAAAAAAAAA',
    subject: 'ada',
    state: 'issued',
    issued_at: at(0),
    expires_at: at(30_000),
    opened_at: null,
    closed_at: null,
    session_expires_at: null,
    gateway: null,
    close: null,
    attempts: 0,
    last_attempt: null,
    ...fields,
  };
}

const refused = (outcome: string, status: number, ms: number) => ({ at: at(ms), outcome, status });

/** The stops as text: `name state +ms note`. */
function read(of: TicketRecord | undefined): string[] {
  return stopsOf(of).map(({ name, state, at: moment, note }) =>
    [name, state, ...(moment === undefined ? [] : [`+${moment - START}`]), ...(note ? [note] : [])].join(' '),
  );
}

describe('the stops of a ticket', () => {
  test('are all ahead before a ticket is issued', () => {
    expect(read(undefined)).toEqual(['issued ahead', 'presented ahead', 'opened ahead', 'closed ahead']);
  });

  test('begin with the issue', () => {
    expect(read(record())).toEqual(['issued reached +0', 'presented ahead', 'opened ahead', 'closed ahead']);
  });

  test('are reached one after the other if the ticket opens a connection', () => {
    const open = { state: 'open', opened_at: at(20), last_attempt: refused('admitted', 101, 20) } as const;
    expect(read(record(open))).toEqual([
      'issued reached +0',
      'presented reached +20',
      'opened reached +20',
      'closed ahead',
    ]);

    const closed = { ...open, state: 'closed', closed_at: at(90), close: { code: 1000, reason: '' } } as const;
    expect(read(record(closed)).at(-1)).toBe('closed reached +90 1000');
  });

  test.each([
    ['revoked', 3003, 'revoked'],
    ['closed', 3000, 'session_expired'],
    ['closed', 1006, ''],
  ] as const)('end in failure if the connection is %s with %i', (state, code, reason) => {
    const ended = { state, opened_at: at(20), closed_at: at(90), close: { code, reason } };
    expect(read(record(ended)).at(-1)).toBe(`closed failed +90 ${code} ${reason}`.trim());
  });

  test('show a replay between the opening and the close', () => {
    const twice = {
      state: 'closed',
      opened_at: at(20),
      closed_at: at(90),
      close: { code: 1005, reason: '' },
      last_attempt: refused('ticket_consumed', 401, 40),
    } as const;
    expect(read(record(twice))).toEqual([
      'issued reached +0',
      'presented reached +20',
      'opened reached +20',
      'presented again failed +40 401 ticket_consumed',
      'closed reached +90 1005',
    ]);
  });

  test('end with a refusal that spent the ticket', () => {
    const spent = { state: 'refused', last_attempt: refused('connection_limit', 429, 20) } as const;
    expect(read(record(spent))).toEqual([
      'issued reached +0',
      'presented failed +20 429 connection_limit',
      'opened never',
      'closed never',
    ]);
  });

  test('go on after a refusal that left the ticket unspent', () => {
    const unspent = { last_attempt: refused('origin_refused', 403, 20) } as const;
    expect(read(record(unspent))).toEqual([
      'issued reached +0',
      'presented failed +20 403 origin_refused',
      'opened ahead',
      'closed ahead',
    ]);
  });

  test('show the expiry at its time', () => {
    const late = { state: 'expired', expires_at: at(1_000) } as const;
    expect(read(record(late))).toEqual([
      'issued reached +0',
      'expired failed +1000',
      'presented never',
      'opened never',
      'closed never',
    ]);
    expect(read(record({ ...late, last_attempt: refused('ticket_expired', 401, 1_200) }))).toEqual([
      'issued reached +0',
      'expired failed +1000',
      'presented failed +1200 401 ticket_expired',
      'opened never',
      'closed never',
    ]);
  });

  test('end with the revocation of an unspent ticket', () => {
    expect(read(record({ state: 'revoked' }))).toEqual([
      'issued reached +0',
      'revoked failed',
      'presented never',
      'opened never',
      'closed never',
    ]);
  });
});
