import { createServer } from 'node:https';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { problemOf } from '../../../support/http/http-answer.ts';
import { type Authority, createAuthority, type KeyPair } from '../../../support/machine/certificates.ts';
import { isMissing } from '../../../support/machine/programs.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import { closeOf, strictFrames } from '../../../support/sockets/frames.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';
import { serverFrame, setRelay, startRawUpstream, switching } from './stage.ts';

/** A back end made with ws behind TLS, that sends every message back. */
async function startTlsBackEnd(tls: KeyPair) {
  const identities: Array<string | string[] | undefined> = [];
  const closings: Array<readonly [code: number, reason: string]> = [];
  const server = createServer(tls);
  const webSockets = new WebSocketServer({ server, perMessageDeflate: true });
  webSockets.on('connection', (socket, { headers }) => {
    identities.push(headers['oncegate-subject']);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('close', (code, reason) => closings.push([code, reason.toString()]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    for (const socket of webSockets.clients) socket.terminate();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, identities, closings };
}

/** What a client gets when its upstream is at `wss://<host>` and has that certificate. */
async function through(tls: KeyPair | undefined, host: string, trusted: Authority | undefined, env = {}) {
  const upstream = await startRawUpstream((socket, accept) => socket.write(switching(accept)), tls);
  const stage = await setRelay(upstream.port, {
    UPSTREAM_URL: `wss://${host}:${upstream.port}`,
    ...(trusted && { UPSTREAM_CA_FILE: trusted.certFile }),
    ...env,
  });
  const client = await RawClient.send(stage.gateway.port, upgradeRequest({ ticket: stage.ticket.value }));
  return { ...stage, upstream, client, outcome: await client.outcome };
}

describe.skipIf(isMissing('openssl'))('an upstream at wss://', () => {
  test.each([
    ['localhost', 'DNS:localhost'],
    ['127.0.0.1', 'IP:127.0.0.1'],
    ['localhost', 'DNS:elsewhere.example, DNS:localhost'],
  ])('%s is relayed to with a certificate for %s', async (host, name) => {
    const authority = createAuthority();
    const backEnd = await startTlsBackEnd(authority.issue(name));
    const { gateway, ticket, recordIn } = await setRelay(backEnd.port, {
      UPSTREAM_URL: `wss://${host}:${backEnd.port}`,
      UPSTREAM_CA_FILE: authority.certFile,
    });
    const client = await openWebSocket(`ws://127.0.0.1:${gateway.port}/?ticket=${ticket.value}`);
    const messages = ['hello', Buffer.alloc(70_000, 'oncegate'), ''];
    for (const message of messages) client.socket.send(message);
    await until(() => client.messages.length === messages.length);
    client.socket.close(4321, 'done');

    expect(client.messages).toEqual(messages);
    expect(backEnd.identities).toEqual(['ada']);
    expect(await client.closed).toEqual({ code: 4321, reason: 'done' });
    expect(await recordIn('closed')).toMatchObject({ closeCode: 4321, closeReason: 'done' });
    await until(() => backEnd.closings.length === 1);
    expect(backEnd.closings).toEqual([[4321, 'done']]);
  });

  test.each<readonly [string, (authority: Authority) => KeyPair, string]>([
    ['of its own making', ({ selfSigned }) => selfSigned('DNS:localhost'), 'localhost'],
    ['of an authority that is not known', () => createAuthority().issue('DNS:localhost'), 'localhost'],
    ['for another host', ({ issue }) => issue('DNS:other.example'), 'localhost'],
    ['for a host, at an address', ({ issue }) => issue('DNS:localhost'), '127.0.0.1'],
    ['for an address, at a host', ({ issue }) => issue('IP:127.0.0.1'), 'localhost'],
    ['for another address', ({ issue }) => issue('IP:127.0.0.2'), '127.0.0.1'],
    ['that has expired', ({ issue }) => issue('DNS:localhost', { expired: true }), 'localhost'],
  ])('with a certificate %s is unreachable, and is told nothing', async (_name, certificate, host) => {
    const authority = createAuthority();
    const { outcome, upstream, recordIn, ticket } = await through(certificate(authority), host, authority);
    if (outcome.kind !== 'refused' || outcome.answers[0] === undefined) throw new Error(`not refused: ${outcome.kind}`);
    const record = await recordIn('refused');
    // Which of the two, the version of TLS decides.
    await until(() => upstream.brokenOff() > 0 || upstream.sockets[0]?.readableEnded || upstream.sockets[0]?.destroyed);

    expect(problemOf(outcome.answers[0])).toMatchObject({
      status: 502,
      code: 'upstream_unreachable',
      retry: 'backoff',
      ticket_id: ticket.id,
    });
    expect(record.lastAttempt).toMatchObject({ outcome: 'upstream_unreachable', status: 502 });
    expect(record.openedAt).toBeUndefined();
    expect(upstream.received().toString()).toBe('');
  });

  test('is checked against the system’s authorities if none are configured', async () => {
    const { outcome, upstream } = await through(createAuthority().issue('DNS:localhost'), 'localhost', undefined);

    expect(outcome).toMatchObject({ kind: 'refused', answers: [{ status: 502 }] });
    expect(upstream.received()).toHaveLength(0);
  });

  test('that speaks no TLS is told nothing', async () => {
    const authority = createAuthority();
    // It answers whatever comes, so the wait is not for the limit.
    const upstream = await startRawUpstream(() => {});
    const { gateway, ticket, recordIn } = await setRelay(upstream.port, {
      UPSTREAM_URL: `wss://localhost:${upstream.port}`,
      UPSTREAM_CA_FILE: authority.certFile,
    });
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
    await until(() => upstream.received().length > 0);
    for (const socket of upstream.sockets) socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');

    expect(await client.outcome).toMatchObject({ kind: 'refused', answers: [{ status: 502 }] });
    expect((await recordIn('refused')).lastAttempt).toMatchObject({ outcome: 'upstream_unreachable' });
    // The first message of TLS has the name of the host, and nothing else that is anybody's.
    expect(upstream.received().toString('latin1')).not.toMatch(/oncegate|GET|ada/i);
  });

  test('that never finishes its side of TLS is a timeout', async () => {
    const authority = createAuthority();
    const { outcome, recordIn } = await through(undefined, 'localhost', authority, {
      UPSTREAM_CONNECT_TIMEOUT_MS: '100',
    });

    expect(outcome).toMatchObject({ kind: 'refused', answers: [{ status: 504 }] });
    expect((await recordIn('refused')).lastAttempt).toMatchObject({ outcome: 'upstream_timeout', status: 504 });
  });

  test('that dies closes the client with 1013', async () => {
    const authority = createAuthority();
    const { client, outcome, upstream, recordIn } = await through(
      authority.issue('DNS:localhost'),
      'localhost',
      authority,
    );
    expect(outcome.kind).toBe('open');
    for (const socket of upstream.sockets) socket.destroy();
    const headEnd = client.received.indexOf('\r\n\r\n') + 4;
    await until(() => client.received.length > headEnd);
    client.socket.end();
    const record = await recordIn('closed');

    expect(strictFrames(client.received.subarray(headEnd)).map(closeOf)).toEqual([[1013, 'upstream_lost']]);
    expect(record).toMatchObject({ closeCode: 1013, closeReason: 'upstream_lost' });
  });

  test('that ends behind a last message still delivers it', async () => {
    const authority = createAuthority();
    const last = Buffer.concat([serverFrame(2, Buffer.alloc(200_000, 7)), serverFrame(8, Buffer.from([0x03, 0xe8]))]);
    const upstream = await startRawUpstream(
      (socket, accept) => socket.end(Buffer.concat([Buffer.from(switching(accept)), last])),
      authority.issue('DNS:localhost'),
    );
    const { gateway, ticket, recordIn } = await setRelay(upstream.port, {
      UPSTREAM_URL: `wss://localhost:${upstream.port}`,
      UPSTREAM_CA_FILE: authority.certFile,
    });
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
    await new Promise((resolve) => client.socket.once('end', resolve));
    client.socket.end();

    expect(client.received.subarray(client.received.indexOf('\r\n\r\n') + 4).equals(last)).toBe(true);
    expect(await recordIn('closed')).toMatchObject({ closeCode: 1000 });
  });
});
