import { expect, test } from 'vitest';
import { parseAnswers, problemOf } from '../support/http/http-answer.ts';
import { bearer } from '../support/logins/bearer.ts';
import { runGateway, runTicketService } from '../support/services/in-process.ts';
import { openRaw } from '../support/sockets/raw-client.ts';
import { upgradeRequest } from '../support/sockets/upgrade-request.ts';

const ORIGIN = 'https://app.example';

const gateway = await runGateway();
const tickets = await runTicketService({ ALLOWED_ORIGINS: ORIGIN });
const half = upgradeRequest().slice(0, -2);
const post = `POST /tickets HTTP/1.1\r\nHost: a\r\nOrigin: ${ORIGIN}\r\nAuthorization: ${await bearer('ada')}\r\n`;

// The bound is 10 s on each port, so all wait at the same time.
test.concurrent.each([
  ['half a head at a gateway', gateway.port, half],
  ['nothing at a gateway', gateway.port, ''],
  ['half a head at the admin port of a gateway', gateway.adminPort, half],
  ['half a head at the ticket service', tickets.port, post],
  ['nothing at the ticket service', tickets.port, ''],
  ['half a body at the ticket service', tickets.port, `${post}Content-Length: 9\r\n\r\n{"a`],
  ['half a head at the admin port of the ticket service', tickets.adminPort, half],
])('%s is 408, and may be sent again', async (name, port, bytes) => {
  const client = await openRaw(port);
  client.send(bytes);
  await client.closed;
  const [answer, ...more] = parseAnswers(client.received);
  if (answer === undefined) throw new Error('no answer');

  expect(more).toEqual([]);
  expect(answer.statusLine).toBe('HTTP/1.1 408 Request Timeout');
  expect(answer.header('connection')).toBe('close');
  expect(problemOf(answer)).toMatchObject({ status: 408, code: 'request_timeout', retry: 'backoff' });
  if (name.includes('body')) expect(answer.header('access-control-allow-origin')).toBe(ORIGIN);
});

test('each of them is counted, and no fault is logged', async () => {
  expect(await gateway.metric('oncegate_handshakes_total{outcome="request_timeout"}')).toBe(2);
  expect(await tickets.metric('oncegate_requests_refused_total{code="request_timeout"}')).toBe(3);
  expect(tickets.log.filter(({ event }) => event === 'fault')).toEqual([]);
});
