import { describe, expect, test } from 'vitest';
import { MAX_HEADERS } from '../../shared/http/whole-head.ts';
import { problemOf } from '../support/http/http-answer.ts';
import { bearer } from '../support/logins/bearer.ts';
import { runGateway, runTicketService } from '../support/services/in-process.ts';
import { exchange } from '../support/sockets/raw-client.ts';

const ORIGIN = 'https://app.example';

/** Sends a request with so many headers, those that are named included. */
async function ask(port: number, line: string, headers: readonly string[], count = headers.length) {
  const junk = Array.from({ length: count - headers.length }, (_, index) => `${index.toString(36)}: 1`);
  const [answer] = await exchange(port, [`${line} HTTP/1.1`, ...headers, ...junk, '', ''].join('\r\n'));
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const common = ['Host: localhost', 'Connection: close'];

describe('a request of which Node would drop headers', () => {
  test.each([
    'POST /tickets',
    'POST /tickets?',
    'GET /tickets',
    'DELETE /tickets/short',
    'GET /problems',
    'GET /nothing',
  ])('is refused by the ticket service: %s', async (line) => {
    const { port } = await runTicketService({ ALLOWED_ORIGINS: ORIGIN });
    const headers = [...common, `Authorization: ${await bearer('ada')}`, `Origin: ${ORIGIN}`, 'Content-Length: 0'];
    for (const count of [MAX_HEADERS + 1, 1_000, 1_990]) {
      const answer = await ask(port, line, headers, count);

      expect(problemOf(answer)).toMatchObject({ status: 400, code: 'request_malformed' });
      expect(answer.header('access-control-allow-origin')).toBe(ORIGIN);
    }
    expect((await ask(port, line, headers, MAX_HEADERS)).status).not.toBe(400);
  });

  test.each(['/livez', '/readyz', '/metrics'])('is refused by the admin ports: %s', async (path) => {
    for (const { adminPort } of [await runTicketService(), await runGateway()]) {
      expect(problemOf(await ask(adminPort, `GET ${path}`, common, MAX_HEADERS + 1))).toMatchObject({ status: 400 });
      expect((await ask(adminPort, `GET ${path}`, common, MAX_HEADERS)).status).toBe(200);
    }
  });

  test('is refused where a proxy asks', async () => {
    const { adminPort } = await runGateway({ TRUST_PROXY: '127.0.0.1' });
    const headers = [...common, 'X-Original-URI: /'];

    expect(problemOf(await ask(adminPort, 'GET /admit', headers, MAX_HEADERS + 1))).toMatchObject({
      status: 400,
      code: 'handshake_malformed',
    });
  });

  test.each(['Content-Type: text/plain', 'Host: other.example'])('is refused if it has a second %s', async (second) => {
    const { port } = await runTicketService();
    const first = [`Authorization: ${await bearer('ada')}`, 'Content-Type: application/json', `Origin: ${ORIGIN}`];
    const headers = [...common, ...first, 'Content-Length: 0'];

    expect((await ask(port, 'POST /tickets', headers)).status).toBe(201);
    expect(problemOf(await ask(port, 'POST /tickets', [...headers, second]))).toMatchObject({
      status: 400,
      code: 'request_malformed',
    });
  });
});
