import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { sendRefusal } from '../../shared/http/send-refusal.ts';
import { answerUnread, READING } from '../../shared/http/unread-request.ts';
import { type Answer, problemOf } from '../support/http/http-answer.ts';
import { bearer } from '../support/logins/bearer.ts';
import { listen } from '../support/machine/listen.ts';
import { runGateway, runTicketService } from '../support/services/in-process.ts';
import { exchange, openRaw } from '../support/sockets/raw-client.ts';

const ORIGIN = 'https://app.example';
const TOO_LONG = `X-Padding: ${'x'.repeat(33_000)}\r\n`;

const ports = {
  'ticket service': async () => (await runTicketService({ ALLOWED_ORIGINS: ORIGIN })).port,
  'admin port of the ticket service': async () => (await runTicketService()).adminPort,
  'admin port of a gateway': async () => (await runGateway()).adminPort,
};

describe.each(Object.entries(ports))('the %s refuses with a problem document', (_name, start) => {
  test.each([
    ['bytes that are no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a length beside chunks', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a head of 33 kB', `GET / HTTP/1.1\r\nHost: a\r\n${TOO_LONG}\r\n`],
  ])('%s', async (_what, bytes) => {
    const [answer, ...more] = await exchange(await start(), bytes);

    expect(more).toEqual([]);
    expect(answer && problemOf(answer)).toMatchObject({ status: 400, code: 'request_malformed', retry: 'never' });
    expect(answer?.header('connection')).toBe('close');
  });
});

test('an admin port survives a body that breaks off into nonsense while it answers', async () => {
  const { adminPort } = await runGateway();
  const broken = 'GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n';
  const [answer] = await exchange(adminPort, broken);

  expect(answer?.status).toBe(400);
  expect((await fetch(`http://127.0.0.1:${adminPort}/livez`)).status).toBe(200);
});

describe('the ticket service', () => {
  const allowed = (answer: Answer | undefined) => answer?.header('access-control-allow-origin');

  test('lets a page of a listed origin read why its request was not', async () => {
    const { port, metric, log } = await runTicketService({ ALLOWED_ORIGINS: ORIGIN });
    const head = (origin: string) => `POST /tickets HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n${TOO_LONG}\r\n`;
    const [listed] = await exchange(port, head(ORIGIN));
    const [other] = await exchange(port, head('https://evil.example'));

    expect(listed?.body).toContain('cookies');
    expect([allowed(listed), listed?.header('access-control-allow-credentials')]).toEqual([ORIGIN, 'true']);
    expect(allowed(other)).toBeUndefined();
    expect(await metric('oncegate_requests_refused_total{code="request_malformed"}')).toBe(2);
    expect(log.filter(({ event }) => event === 'refusal')).toHaveLength(2);
  });

  test('answers in the place of a request whose body breaks off into nonsense', async () => {
    const { port, log, metric } = await runTicketService({ ALLOWED_ORIGINS: ORIGIN });
    const [answer, ...more] = await exchange(
      port,
      `POST /tickets HTTP/1.1\r\nHost: a\r\nOrigin: ${ORIGIN}\r\nAuthorization: ${await bearer('ada')}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    );

    expect(more).toEqual([]);
    expect(answer && problemOf(answer)).toMatchObject({ status: 400, code: 'request_malformed' });
    expect(allowed(answer)).toBe(ORIGIN);
    expect(log.filter(({ event }) => event === 'fault')).toEqual([]);
    expect(await metric('oncegate_tickets_issued_total')).toBe(0);
  });

  test('reads a head of 31 kB', async () => {
    const { port } = await runTicketService();
    const cookies = `Cookie: a=${'x'.repeat(31_000)}\r\n`;
    const [answer] = await exchange(
      port,
      `POST /tickets HTTP/1.1\r\nHost: a\r\nAuthorization: ${await bearer('ada')}\r\n${cookies}Connection: close\r\n\r\n`,
    );

    expect(answer?.status).toBe(201);
  });
});

describe('a server with short bounds', () => {
  const bounds = { ...READING, headersTimeout: 100, requestTimeout: 100, connectionsCheckingInterval: 20 };

  async function start(): Promise<{ port: number; seen: string[] }> {
    const seen: string[] = [];
    const server = createServer(bounds, (request, response) => {
      seen.push(`${request.method}`);
      if (request.method === 'GET') response.end('ok');
    });
    answerUnread(server, (_request, response, refusal) => sendRefusal(response, refusal));
    return { port: await listen(server), seen };
  }

  test.each([
    ['that never begins', ''],
    ['whose head does not end', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['whose body does not end', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab'],
  ])('tells the client of a request %s that it may try again', async (_name, bytes) => {
    const { port } = await start();
    const [answer, ...more] = await exchange(port, bytes);

    expect(more).toEqual([]);
    expect(answer?.statusLine).toBe('HTTP/1.1 408 Request Timeout');
    expect(answer && problemOf(answer)).toMatchObject({ status: 408, code: 'request_timeout', retry: 'backoff' });
    expect(answer?.header('connection')).toBe('close');
  });

  test('does not act on the rest of a head that comes after the answer', async () => {
    const { port, seen } = await start();
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {}); // a reset
    socket.write('POST / HTTP/1.1\r\nHost: a\r\n');
    socket.once('data', () => socket.end('\r\n'));
    await once(socket, 'close');

    expect(seen).toEqual([]);
  });

  test('tells it behind an answer on the same connection as well', async () => {
    const { port, seen } = await start();
    const client = await openRaw(port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo');
    await client.closed;

    expect(client.received.toString()).toMatch(/^HTTP\/1.1 200 OK.*HTTP\/1.1 408 /s);
    expect(seen).toEqual(['GET']);
  });
});
