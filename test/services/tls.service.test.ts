import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { beforeAll, describe, expect, test } from 'vitest';
import { createStore } from '../../shared/store/create-store.ts';
import { parseAnswers, problemOf } from '../support/http/http-answer.ts';
import { bearer } from '../support/logins/bearer.ts';
import { type Authority, createAuthority, type KeyPair } from '../support/machine/certificates.ts';
import { msInThisProcess } from '../support/machine/measure.ts';
import { isMissing } from '../support/machine/programs.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { until } from '../support/machine/wait.ts';
import {
  type Environment,
  runGateway,
  runTicketService,
  settingsOf,
  storeTicket,
} from '../support/services/in-process.ts';
import { openRaw } from '../support/sockets/raw-client.ts';
import { upgradeRequest } from '../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';
import { startBackEnd } from '../support/sockets/ws-back-end.ts';

describe.skipIf(isMissing('openssl'))('with TLS_CERT_FILE and TLS_KEY_FILE', () => {
  let authority: Authority;
  let pair: KeyPair;
  let tls: Environment;

  beforeAll(() => {
    authority = createAuthority();
    pair = authority.issue('DNS:localhost');
    tls = { TLS_CERT_FILE: pair.certFile, TLS_KEY_FILE: pair.keyFile };
  });

  /** A connection to the gateway's public port whose bytes are the test's own. */
  async function openTls(port: number): Promise<{ socket: TLSSocket; received(): Buffer }> {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    atEnd(async () => void socket.destroy());
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return { socket, received: () => Buffer.concat(chunks) };
  }

  test('the echo is reached over TLS', async () => {
    const gateway = await runGateway(tls);
    const ticket = await storeTicket(gateway.store);
    const url = `wss://localhost:${gateway.port}/?ticket=${ticket.value}`;
    const client = await openWebSocket(url, { ca: authority.cert });
    const messages = ['hello', 'x'.repeat(200_000)];
    for (const message of messages) client.socket.send(message);
    await until(() => client.messages.length === 3);
    client.socket.close(1000, 'done');

    expect(JSON.parse(String(client.messages[0]))).toMatchObject({ type: 'hello', ticket_id: ticket.id });
    expect(client.messages.slice(1)).toEqual(messages);
    expect(await client.closed).toEqual({ code: 1000, reason: 'done' });
  });

  test('the relay is reached over TLS, says so to the back end, and closes what is revoked', async () => {
    const backEnd = await startBackEnd();
    const gateway = await runGateway({ ...tls, UPSTREAM_URL: `ws://127.0.0.1:${backEnd.port}` });
    const ticket = await storeTicket(gateway.store);
    const url = `wss://localhost:${gateway.port}/?ticket=${ticket.value}`;
    const client = await openWebSocket(url, { ca: authority.cert, perMessageDeflate: false });
    const messages = ['hello', 'x'.repeat(200_000)];
    for (const message of messages) client.socket.send(message);
    await until(() => client.messages.length === messages.length);
    const revoked = await gateway.store.revoke({ id: ticket.id });
    if (revoked.code !== 'closing') throw new Error(revoked.code);
    await gateway.store.command(revoked.gatewayId, { command: 'close', ticket_id: ticket.id, reason: 'revoked' });

    expect(client.messages).toEqual(messages);
    expect(backEnd.requests.map(({ headers }) => headers['x-forwarded-proto'])).toEqual(['https']);
    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
  });

  test('a refusal is whole, and the connection ends behind it', async () => {
    const gateway = await runGateway(tls);
    const { socket, received } = await openTls(gateway.port);
    socket.write(upgradeRequest({ ticket: 'ogt_no.ticket' }));
    await new Promise((resolve) => socket.once('end', resolve));
    const [answer, ...more] = parseAnswers(received(), false);
    if (answer === undefined) throw new Error('no answer');

    expect(problemOf(answer)).toMatchObject({ status: 401, code: 'ticket_malformed' });
    expect(more).toEqual([]);
  });

  test.each([
    ['the echo', {}],
    ['the relay', { UPSTREAM_URL: 'ws://127.0.0.1:9' }],
  ])('bytes behind the request are refused before %s, as without TLS', async (_name, env) => {
    const gateway = await runGateway({ ...tls, ...env });
    const ticket = await storeTicket(gateway.store);
    const { socket, received } = await openTls(gateway.port);
    socket.write(`${upgradeRequest({ ticket: ticket.value })}GET /admin HTTP/1.1\r\n\r\n`);
    await new Promise((resolve) => socket.once('end', resolve));
    const [answer, ...more] = parseAnswers(received(), false);
    if (answer === undefined) throw new Error('no answer');

    expect(problemOf(answer)).toMatchObject({ status: 400, code: 'handshake_malformed' });
    expect(more).toEqual([]);
    expect(await gateway.store.read(ticket.id)).toMatchObject({ state: 'issued' });
  });

  test('a request without TLS opens nothing', async () => {
    const gateway = await runGateway(tls);
    const ticket = await storeTicket(gateway.store);

    await expect(openWebSocket(`ws://localhost:${gateway.port}/?ticket=${ticket.value}`)).rejects.toThrow();
    expect(await gateway.store.read(ticket.id)).toMatchObject({ state: 'issued', attempts: 0 });
  });

  test.each([
    ['gateway', runGateway],
    ['ticket service', runTicketService],
  ])('a %s drains although a client never gets through TLS', async (_name, run) => {
    const { port, service } = await run(tls);
    const silent = await openRaw(port);
    const secured = await openTls(port);
    // The server itself gives up on such a client after 10 s.
    expect(await msInThisProcess(service.drain())).toBeLessThan(8_000);

    await silent.closed;
    await until(() => secured.socket.destroyed);
  });

  test('the ticket service issues over TLS, for gateways that speak TLS', async () => {
    const store = createStore(await settingsOf({}), pino({ level: 'silent' }));
    const gateway = await runGateway(tls, { store });
    const tickets = await runTicketService({ ...tls, GATEWAY_PORT: String(gateway.port) }, { store });
    const authorization = await bearer('ada');
    const issued = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const options = { ca: authority.cert, method: 'POST', headers: { Authorization: authorization } };
      request(`https://localhost:${tickets.port}/tickets`, options, async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode, text });
      })
        .on('error', reject)
        .end();
    });
    const { connect_url: url, id } = JSON.parse(issued.text) as { connect_url: string; id: string }; // as the service answers
    const client = await openWebSocket(url, { ca: authority.cert });
    await until(() => client.messages.length === 1);

    expect(issued.status).toBe(201);
    expect(url).toContain(`wss://localhost:${gateway.port}/?ticket=ogt_${id}.`);
    expect(JSON.parse(String(client.messages[0]))).toMatchObject({ ticket_id: id, subject: 'ada' });
  });
});
