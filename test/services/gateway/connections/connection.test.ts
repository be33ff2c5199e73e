import { describe, expect, test } from 'vitest';
import { Connection, type ConnectionOptions } from '../../../../services/gateway/connections/connection.ts';
import type { Wire } from '../../../../services/gateway/wires/wire.ts';
import { type CloseReason, closeReasons } from '../../../../shared/close-codes.ts';

const START = 5_000;
const OPENED_AT = 1_700_000_000_000;
const HEARTBEAT = 1_000;
const LEASE_EVERY = 300;

/** The far end of a connection: it writes down what it is told. */
class Recorder implements Wire {
  readonly told: string[] = [];
  stalled = false;
  closed = false;
  sent = { taken: 0, left: 0 };
  /** Whether a ping has to wait for the end of a frame. */
  isInFrame = false;
  written = (): void => {};
  ping(written: () => void): void {
    this.told.push('ping');
    this.written = written;
    if (!this.isInFrame) written();
  }
  close(code: number, reason: string): void {
    this.told.push(`close ${code} ${reason}`);
  }
  terminate(): void {
    this.told.push('terminate');
  }
}

function open(options: Partial<ConnectionOptions> = {}) {
  const wire = new Recorder();
  const connection = new Connection({
    id: 'AbCdEfGhIjKlMnOpQrStUv',
    attemptId: 'attempt',
    subject: 'ada',
    openedAt: OPENED_AT,
    sessionExpiresAt: OPENED_AT + 3_600_000,
    wire,
    now: START,
    ...options,
  });
  return { connection, wire, told: wire.told, at: (ms: number) => connection.tick(START + ms, HEARTBEAT) };
}

describe('a heartbeat', () => {
  test('is a ping once the client has been silent for its length, and only one', () => {
    const { at, told } = open();
    at(999);
    expect(told).toEqual([]);
    at(1_000);
    at(1_001);
    at(1_999);
    expect(told).toEqual(['ping']);
  });

  test('that is answered begins anew', () => {
    const { connection, at, told } = open();
    at(1_000);
    connection.heard(START + 1_500);
    at(2_499);
    expect(told).toEqual(['ping']);
    at(2_500);
    expect(told).toEqual(['ping', 'ping']);
  });

  test('is not needed where the client talks', () => {
    const { connection, at, told } = open();
    for (let ms = 900; ms < 9_000; ms += 900) {
      connection.heard(START + ms);
      at(ms + 800);
    }
    expect(told).toEqual([]);
  });

  test('that is not answered within its length closes with 3008', () => {
    const { connection, at, told } = open();
    at(1_000);
    at(1_999);
    expect(connection.closing).toBeUndefined();
    at(2_000);
    expect(told).toEqual(['ping', 'close 3008 heartbeat_missed']);
    expect(connection.closing).toBe('heartbeat_missed');
  });

  test('that is not answered by a client that does not read closes with 1008', () => {
    const { connection, wire, at, told } = open();
    wire.stalled = true;
    at(1_000);
    at(2_000);
    expect(told).toEqual(['ping', 'close 1008 slow_consumer']);
    expect(connection.closing).toBe('slow_consumer');
  });
});

describe('a ping behind a long frame', () => {
  test('closes nothing as long as the client takes some of that', () => {
    const { wire, at, told } = open();
    wire.isInFrame = true;
    for (let ms = 0; ms <= 20_000; ms += 900) {
      wire.sent = { taken: ms, left: 1_000_000 - ms };
      at(ms);
    }
    expect(told).toEqual(['ping']);
  });

  test('is waited for from when it was written', () => {
    const { wire, at, told } = open();
    wire.isInFrame = true;
    at(1_000);
    wire.sent = { taken: 500, left: 500 };
    at(1_500);
    wire.written();
    at(2_400);
    at(3_399);
    expect(told).toEqual(['ping']);
    at(3_400);
    expect(told).toEqual(['ping', 'close 3008 heartbeat_missed']);
  });

  test('that never was written does not close with 3008: with 1008 where the client takes nothing', () => {
    const { wire, at, told } = open();
    wire.isInFrame = true;
    wire.sent = { taken: 500, left: 500 };
    at(1_000);
    at(1_999);
    expect(told).toEqual(['ping']);
    at(2_000);
    expect(told).toEqual(['ping', 'close 1008 slow_consumer']);
  });

  test('that never was written closes with 1013 where there is nothing left for the client to take', () => {
    const { wire, at, told } = open();
    wire.isInFrame = true;
    wire.sent = { taken: 500, left: 0 };
    at(1_000);
    at(2_000);
    expect(told).toEqual(['ping', 'close 1013 upstream_lost']);
  });
});

describe('a session', () => {
  test('ends as long after the opening as the store said, whatever the clocks', () => {
    const { at, told } = open({ sessionExpiresAt: OPENED_AT + 700 });
    at(699);
    expect(told).toEqual([]);
    at(700);
    expect(told).toEqual(['close 3000 session_expired']);
  });

  test('that was over before it began ends at the first moment', () => {
    const { at, told } = open({ sessionExpiresAt: OPENED_AT - 1 });
    at(0);
    expect(told).toEqual(['close 3000 session_expired']);
  });

  test.each([
    ['later', 5_000],
    ['earlier', 200],
  ])('that is renewed ends %s', (_name, length) => {
    const { connection, at, told } = open({ sessionExpiresAt: OPENED_AT + 700 });
    connection.renew(OPENED_AT + length);
    expect(connection.sessionExpiresAt).toBe(OPENED_AT + length);
    connection.heard(START + length);
    at(length - 1);
    expect(told).toEqual([]);
    at(length);
    expect(told).toEqual(['close 3000 session_expired']);
  });

  test('ends also where the client is silent', () => {
    const { at, told } = open({ sessionExpiresAt: OPENED_AT + 1_500 });
    at(1_000);
    at(1_500);
    expect(told).toEqual(['ping', 'close 3000 session_expired']);
  });
});

describe('a close', () => {
  const expected: Readonly<Record<CloseReason, string>> = {
    going_away: 'close 1001 going_away',
    slow_consumer: 'close 1008 slow_consumer',
    message_rate: 'close 1008 message_rate',
    too_many_fragments: 'close 1008 too_many_fragments',
    message_too_big: 'close 1009 message_too_big',
    draining: 'close 1012 draining',
    upstream_lost: 'close 1013 upstream_lost',
    session_expired: 'close 3000 session_expired',
    revoked: 'close 3003 revoked',
    replaced: 'close 3003 replaced',
    heartbeat_missed: 'close 3008 heartbeat_missed',
  };

  test.each(closeReasons)('for %s has its code and reason', (reason) => {
    const { connection, told } = open();
    connection.close(reason, START);
    expect(told).toEqual([expected[reason]]);
    expect(connection.closing).toBe(reason);
  });

  test('carries its detail behind the reason', () => {
    const { connection, told } = open();
    connection.close('draining', START, ';spread_seconds=30');
    expect(told).toEqual(['close 1012 draining;spread_seconds=30']);
    expect(connection.closing).toBe('draining');
  });

  test('has one reason, the first', () => {
    const { connection, at, told } = open({ sessionExpiresAt: OPENED_AT + 500 });
    connection.close('revoked', START);
    connection.close('draining', START + 1);
    at(1_000);
    expect(told).toEqual(['close 3003 revoked']);
    expect(connection.closing).toBe('revoked');
  });

  test('that is not answered ends the socket after two seconds', () => {
    const { connection, at, told } = open();
    connection.close('revoked', START + 100);
    at(2_099);
    expect(told).toEqual(['close 3003 revoked']);
    at(2_100);
    expect(told).toEqual(['close 3003 revoked', 'terminate']);
  });

  test.each([
    [false, 'revoked'],
    [true, undefined],
  ])('is why it ends, unless somebody else has closed before: %s', (closed, cause) => {
    const { connection, wire, told } = open();
    wire.closed = closed;
    connection.close('revoked', START);
    wire.closed = true;

    expect(connection.cause).toBe(cause);
    expect(connection.closing).toBe('revoked');
    expect(told).toEqual(['close 3003 revoked']);
  });

  test('can be left out: the socket ends at once', () => {
    const { connection, told } = open();
    connection.terminate();
    expect(told).toEqual(['terminate']);
  });
});

describe('a lease', () => {
  test('is due a while after the opening, and again as long after it was renewed', () => {
    const { connection } = open();
    expect(connection.leaseDue(START + 299, LEASE_EVERY)).toBe(false);
    expect(connection.leaseDue(START + 300, LEASE_EVERY)).toBe(true);
    connection.leased(START + 700);
    expect(connection.leaseDue(START + 999, LEASE_EVERY)).toBe(false);
    expect(connection.leaseDue(START + 1_000, LEASE_EVERY)).toBe(true);
  });

  test('is due once more two seconds before the session ends, which may have been renewed', () => {
    const { connection } = open({ sessionExpiresAt: OPENED_AT + 10_000 });
    const due = (ms: number) => connection.leaseDue(START + ms, 60_000);
    expect(due(7_999)).toBe(false);
    expect(due(8_000)).toBe(true);
    connection.leased(START + 8_100);
    expect(due(9_999)).toBe(false);
    connection.renew(OPENED_AT + 20_000);
    expect(due(17_999)).toBe(false);
    expect(due(18_000)).toBe(true);
  });

  test('is not renewed for a connection that is being closed', () => {
    const { connection } = open();
    connection.close('draining', START);
    expect(connection.leaseDue(START + 10_000, LEASE_EVERY)).toBe(false);
  });
});
