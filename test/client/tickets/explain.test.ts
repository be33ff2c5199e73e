import { describe, expect, test } from 'vitest';
import { ConnectRefused } from '../../../client/errors/connect-refused.ts';
import { explain } from '../../../client/tickets/explain.ts';
import type { TicketRecord } from '../../../client/tickets/ticket-record.ts';

const ID = '_e5DDUC9V97exampleRand';

function record(fields: Partial<TicketRecord>): TicketRecord {
  return {
    ...{ id: ID, state: 'issued', opened_at: null, session_expires_at: null, close: null, last_attempt: null },
    ...fields,
  };
}

const admitted = { outcome: 'admitted', status: 101 };

describe('the record of a ticket whose handshake failed', () => {
  test.each(['issued', 'expired'] as const)(
    'gives not_seen if no gateway has seen the ticket, and it is %s',
    (state) => {
      const refused = explain(record({ state }));
      expect(refused).toBeInstanceOf(ConnectRefused);
      expect(refused).toMatchObject({ code: 'not_seen', status: undefined, retry: 'backoff', ticketId: ID });
      expect(refused.message).toContain('proxies pass Upgrade');
      expect(refused.message).toContain('its Redis');
      expect(refused.message).toContain('connect-src');
    },
  );

  test.each([
    ['origin_refused', 403, 'never', undefined],
    ['ticket_expired', 401, 'reissue', undefined],
    ['connection_limit', 429, 'backoff', 5],
    ['draining', 503, 'backoff', 2],
  ] as const)('gives the outcome of the last attempt: %s', (outcome, status, retry, retryAfter) => {
    const refused = explain(record({ state: 'refused', last_attempt: { outcome, status } }));
    expect(refused).toMatchObject({ code: outcome, status, retry, retryAfter, ticketId: ID });
  });

  test('gives an outcome that the client does not know, with a retry by its status and name', () => {
    const of = (status: number) => explain(record({ last_attempt: { outcome: 'newer', status } }));
    expect(of(503)).toMatchObject({ code: 'newer', status: 503, retry: 'backoff' });
    expect(of(403)).toMatchObject({ code: 'newer', status: 403, retry: 'never' });
    const ticket = explain(record({ last_attempt: { outcome: 'ticket_newer', status: 401 } }));
    expect(ticket).toMatchObject({ code: 'ticket_newer', retry: 'reissue' });
  });

  test('gives store_unavailable if the store admitted the ticket too late', () => {
    const close = { code: 1006, reason: 'store_unavailable' };
    expect(explain(record({ state: 'closed', close, last_attempt: admitted }))).toMatchObject({
      code: 'store_unavailable',
      status: 503,
      retry: 'backoff',
      retryAfter: 2,
    });
  });

  test.each([null, { code: 1006, reason: 'client_gone' }])(
    'gives connection_lost for an admitted ticket, closed with %j',
    (close) => {
      expect(explain(record({ state: 'open', close, last_attempt: admitted }))).toMatchObject({
        code: 'connection_lost',
        status: undefined,
        retry: 'backoff',
        ticketId: ID,
      });
    },
  );
});
