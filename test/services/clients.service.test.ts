import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { hashPassword } from '../../shared/logins/password.ts';
import { bearer, JWT_SECRET } from '../support/logins/bearer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { temporaryDirectory } from '../support/machine/temporary-file.ts';
import { until } from '../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../support/redis/redis.ts';
import { type InProcess, runGateway, runTicketService } from '../support/services/in-process.ts';
import type { IssuedTicket, LogLine } from '../support/services/services.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';

const PASSWORD = 'correct horse: battery';

let redis: SharedRedis;
let gateway: InProcess;
let service: InProcess;

beforeAll(async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'users'), `ada:${await hashPassword(PASSWORD)}\n`);
  redis = await workerRedis();
  gateway = await runGateway({ REDIS_URL: redis.url });
  service = await runTicketService({
    REDIS_URL: redis.url,
    GATEWAY_URL: `ws://127.0.0.1:${gateway.port}`,
    AUTH_USERS_FILE: join(directory, 'users'),
    AUTH_JWT_SECRET: JWT_SECRET,
  });
});

/** Runs curl and returns what it printed. */
async function curl(...args: string[]): Promise<string> {
  return (await promisify(execFile)('curl', ['--silent', '--show-error', '--max-time', '10', ...args])).stdout;
}

/** Splits what `curl --include` prints. */
function parted(output: string): { status: string; headers: string; body: string } {
  const end = output.indexOf('\r\n\r\n');
  const head = output.slice(0, end);
  return { status: head.slice(0, head.indexOf('\r\n')), headers: head.toLowerCase(), body: output.slice(end + 4) };
}

async function issueWithCurl(): Promise<IssuedTicket> {
  const output = await curl('-u', `ada:${PASSWORD}`, '-X', 'POST', `http://127.0.0.1:${service.port}/tickets`);
  return JSON.parse(output) as IssuedTicket; // what POST /tickets answers
}

async function issue(): Promise<IssuedTicket> {
  const response = await fetch(`http://127.0.0.1:${service.port}/tickets`, {
    method: 'POST',
    headers: { Authorization: await bearer('ada') },
  });
  return (await response.json()) as IssuedTicket; // what POST /tickets answers
}

const upgrade = [
  ...['--include', '--http1.1', '-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket'],
  ...['-H', 'Sec-WebSocket-Version: 13', '-H', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
];

describe.skipIf(isMissing('curl'))('curl', () => {
  test('gets a ticket', async () => {
    const output = await curl(
      ...['--include', '-u', `ada:${PASSWORD}`, '-H', 'Content-Type: application/json'],
      ...['-d', '{"claims":{"room":7},"ttl_seconds":10}', `http://127.0.0.1:${service.port}/tickets`],
    );
    const { status, headers, body } = parted(output);
    const answer = JSON.parse(body) as IssuedTicket; // what POST /tickets answers

    expect(status).toBe('HTTP/1.1 201 Created');
    expect(headers).toContain(`location: /tickets/${answer.id.toLowerCase()}`);
    expect(answer).toMatchObject({
      ticket: expect.stringMatching(/^ogt_[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{32}$/),
      expires_in: 10,
      url: `ws://127.0.0.1:${gateway.port}`,
      connect_url: `ws://127.0.0.1:${gateway.port}/?ticket=${answer.ticket}`,
    });
  });

  test('sees the complete problem of a refused upgrade', async () => {
    const { id, ticket, connect_url: url } = await issueWithCurl();
    const client = await openWebSocket(url);
    const { status, headers, body } = parted(await curl(...upgrade, url.replace('ws://', 'http://')));

    expect(status).toBe('HTTP/1.1 401 Unauthorized');
    expect(headers).toContain('www-authenticate: ticket realm="oncegate", error="ticket_consumed"');
    expect(headers).toContain('content-type: application/problem+json');
    expect(headers).toContain(`content-length: ${Buffer.byteLength(body)}`);
    expect(JSON.parse(body)).toEqual({
      type: 'urn:oncegate:problem:ticket_consumed',
      title: 'The ticket was used before',
      status: 401,
      code: 'ticket_consumed',
      detail: 'A ticket buys one connection, once. Ask for a new ticket for every attempt.',
      retry: 'reissue',
      ticket_id: id,
    });
    expect(body).not.toContain(ticket);
    client.socket.close();
  });

  test('is told by the ticket service what became of its ticket', async () => {
    const { id, connect_url: url } = await issueWithCurl();
    await curl(...upgrade, '-H', 'Origin: http://evil.example', url.replace('ws://', 'http://'));
    const record = await curl('-u', `ada:${PASSWORD}`, `http://127.0.0.1:${service.port}/tickets/${id}`);

    expect(JSON.parse(record)).toMatchObject({
      id,
      subject: 'ada',
      state: 'issued',
      attempts: 1,
      last_attempt: { outcome: 'origin_refused', status: 403, origin: 'http://evil.example', address: '127.0.0.1' },
    });
  });

  test('sees a 401 with a challenge for each scheme without credentials', async () => {
    const { status, headers, body } = parted(
      await curl('--include', '-X', 'POST', `http://127.0.0.1:${service.port}/tickets`),
    );

    expect(status).toBe('HTTP/1.1 401 Unauthorized');
    expect(headers.match(/^www-authenticate: \w+/gm)).toEqual(['www-authenticate: basic', 'www-authenticate: bearer']);
    expect(JSON.parse(body)).toMatchObject({ code: 'credentials_missing' });
  });
});

describe("ws's own client", () => {
  const events = (id: string): LogLine[] => gateway.log.filter((line) => line.ticket_id === id);

  test.each([
    ['query', (answer: IssuedTicket) => ({ url: answer.connect_url })],
    ['subprotocol', (answer: IssuedTicket) => ({ url: answer.url, protocols: answer.protocols })],
    [
      'subprotocol, on a path of its own',
      (answer: IssuedTicket) => ({ url: `${answer.url}/~${answer.id}`, protocols: answer.protocols }),
    ],
    [
      'Authorization header',
      (answer: IssuedTicket) => ({ url: answer.url, headers: { Authorization: `Ticket ${answer.ticket}` } }),
    ],
  ])('opens with the ticket in the %s, once', async (_name, present) => {
    const answer = await issue();
    const { url, ...options } = present(answer);
    const client = await openWebSocket(url, options);
    await until(() => client.messages.length === 1);
    expect(JSON.parse(String(client.messages[0]))).toMatchObject({
      type: 'hello',
      ticket_id: answer.id,
      subject: 'ada',
    });
    client.socket.send('once');
    await until(() => client.messages[1] === 'once');

    await expect(openWebSocket(url, options)).rejects.toMatchObject({ status: 401, code: 'ticket_consumed' });
    expect(events(answer.id).map(({ event }) => event)).toEqual(['open', 'replay']);
  });

  test.each([
    ['the one of the application', (ticket: string) => [ticket, 'chat.v2'], 'chat.v2'],
    ['the first one of the application', (ticket: string) => ['chat.v2', ticket, 'chat.v1'], 'chat.v2'],
    ['the one of the application before ours', (ticket: string) => ['oncegate.v1', 'chat', ticket], 'chat'],
    ['oncegate.v1 where there is no other', (ticket: string) => ['oncegate.v1', ticket], 'oncegate.v1'],
    ['oncegate.v1 behind the ticket', (ticket: string) => [ticket, 'oncegate.v1'], 'oncegate.v1'],
  ])('is answered with a subprotocol that is never the ticket: %s', async (_name, offer, selected) => {
    const { url, ticket } = await issue();
    const client = await openWebSocket(url, { protocols: offer(`oncegate.ticket.${ticket}`) });

    expect(client.socket.protocol).toBe(selected);
  });

  test('is answered without a subprotocol where it offers none', async () => {
    const client = await openWebSocket((await issue()).connect_url);

    expect(client.socket.protocol).toBe('');
  });

  test('sees status and problem of a refusal', async () => {
    await expect(openWebSocket(`ws://127.0.0.1:${gateway.port}/`)).rejects.toMatchObject({
      status: 401,
      code: 'ticket_missing',
    });
  });
});
