import { describe, expect, test } from 'vitest';
import { refusals } from '../../../shared/refusals.ts';
import { parseAnswers } from '../../support/http/http-answer.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { runTicketService } from '../../support/services/in-process.ts';
import { openRaw } from '../../support/sockets/raw-client.ts';
import { type TicketRefusalCase, ticketRefusals } from './refusal-cases.ts';

/** Status line and retry of each code, written out independently of the table. */
const answers: Readonly<Record<string, readonly [statusLine: string, retry: 'never' | 'backoff']>> = {
  credentials_missing: ['401 Unauthorized', 'never'],
  credentials_invalid: ['401 Unauthorized', 'never'],
  subject_refused: ['403 Forbidden', 'never'],
  origin_refused: ['403 Forbidden', 'never'],
  request_malformed: ['400 Bad Request', 'never'],
  request_invalid: ['422 Unprocessable Entity', 'never'],
  payload_too_large: ['413 Payload Too Large', 'never'],
  not_found: ['404 Not Found', 'never'],
  method_not_allowed: ['405 Method Not Allowed', 'never'],
  pending_limit: ['429 Too Many Requests', 'backoff'],
  store_unavailable: ['503 Service Unavailable', 'backoff'],
  authentication_unavailable: ['503 Service Unavailable', 'backoff'],
  csrf_refused: ['403 Forbidden', 'never'],
};

async function requestOf({ method = 'POST', path = '/tickets', headers = {}, body = '' }: TicketRefusalCase) {
  const all = {
    Host: 'tickets.example',
    Connection: 'close',
    Authorization: await bearer('ada'),
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    (value === null ? [] : [value].flat()).map((one) => `${name}: ${one}\r\n`),
  );
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), Buffer.from(body)]);
}

describe('a ticket service refuses', () => {
  test.each(ticketRefusals.map((row) => [row.name, row.code, row] as const))('%s: %s', async (_name, _code, row) => {
    const service = await runTicketService(row.env, { storeIsAway: row.code === 'store_unavailable' });
    await row.before?.(service);
    const client = await openRaw(service.port);
    client.send(await requestOf(row));
    await client.closed;
    const [response, ...more] = parseAnswers(client.received);
    expect(more).toEqual([]);
    if (response === undefined) throw new Error('no response');

    const [statusLine, retry] = answers[row.code] ?? [];
    expect(response.statusLine).toBe(`HTTP/1.1 ${statusLine}`);
    const expected = {
      'content-type': ['application/problem+json'],
      'cache-control': ['no-store'],
      'x-content-type-options': ['nosniff'],
      'content-length': [String(Buffer.byteLength(response.body))],
      'x-powered-by': [],
      'www-authenticate': [],
      'retry-after': [],
      allow: [],
      ...row.answer,
    };
    for (const [name, values] of Object.entries(expected)) {
      expect({ [name]: response.values(name) }).toEqual({ [name]: values });
    }

    const [retryAfter] = row.answer?.['retry-after'] ?? [];
    expect(JSON.parse(response.body)).toEqual({
      type: `urn:oncegate:problem:${row.code}`,
      title: refusals[row.code].title,
      status: Number(statusLine?.slice(0, 3)),
      code: row.code,
      detail: row.detail ?? refusals[row.code].detail,
      retry,
      ...(retryAfter !== undefined && { retry_after: Number(retryAfter) }),
      ...(row.code === 'request_invalid' && { errors: [{ pointer: expect.any(String), detail: expect.any(String) }] }),
    });

    expect(await service.metric(`oncegate_requests_refused_total{code="${row.code}"}`)).toBe(1);
    expect(service.log.filter(({ event }) => event === 'refusal')).toEqual([
      expect.objectContaining({ level: 'info', code: row.code }),
    ]);
    expect(service.log.filter(({ event }) => event === 'fault')).toEqual([]);
    expect(await service.metric('oncegate_tickets_issued_total')).toBe(0);
  });
});
