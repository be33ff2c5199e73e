import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCommand } from '../../../shared/store/command.ts';
import { mintTicket } from '../../../shared/ticket/ticket.ts';

const { id } = mintTicket('ada');
const close = { command: 'close', ticket_id: id, reason: 'revoked' };
const renew = { command: 'renew', ticket_id: id, session_expires_at: 1_800_000_000_000 };

describe('a command', () => {
  test('is accepted in each of its forms', () => {
    for (const command of [close, { ...close, reason: 'replaced' }, renew]) {
      expect(parseCommand(JSON.stringify(command))).toStrictEqual(command);
    }
  });

  test('drops unknown fields', () => {
    expect(parseCommand(JSON.stringify({ ...close, extra: 1 }))).toStrictEqual(close);
    expect(parseCommand(`{"__proto__":{"a":1},${JSON.stringify(renew).slice(1)}`)).toStrictEqual(renew);
  });

  const malformed: Record<string, unknown> = {
    'no object': 'close',
    null: null,
    'a list': [close],
    'no command': { ticket_id: id, reason: 'revoked' },
    'another command': { ...close, command: 'drain' },
    'a command of another case': { ...close, command: 'CLOSE' },
    'no ticket id': { command: 'close', reason: 'revoked' },
    'a short ticket id': { ...close, ticket_id: id.slice(1) },
    'a ticket value for an id': { ...close, ticket_id: `ogt_${id}` },
    'a ticket id with a line feed': { ...close, ticket_id: `${id}\n` },
    'a number for a ticket id': { ...close, ticket_id: 7 },
    'no reason': { command: 'close', ticket_id: id },
    'a reason that closes nothing by command': { ...close, reason: 'draining' },
    'no moment': { command: 'renew', ticket_id: id },
    'a moment in text': { ...renew, session_expires_at: '1800000000000' },
    'a moment that is no integer': { ...renew, session_expires_at: 1.5 },
    'a moment of 0': { ...renew, session_expires_at: 0 },
    'a moment before all time': { ...renew, session_expires_at: -1 },
    'a moment out of reach': { ...renew, session_expires_at: 1e300 },
  };
  for (const [name, value] of Object.entries(malformed)) {
    test(`is dropped with ${name}`, () => {
      expect(parseCommand(JSON.stringify(value))).toBeNull();
    });
  }

  test('is dropped if it is not JSON, and never throws', () => {
    for (const message of ['', '{', 'undefined', "{'command':'close'}", `${JSON.stringify(close)}x`, '\ufeff{}']) {
      expect(parseCommand(message)).toBeNull();
    }
    fc.assert(fc.property(fc.string(), (message) => parseCommand(message) === null));
    fc.assert(fc.property(fc.json(), (message) => parseCommand(message) === null));
  });
});
