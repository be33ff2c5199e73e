import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { problemOf } from '../../../support/http/http-answer.ts';
import { freePort } from '../../../support/machine/free-port.ts';
import { until } from '../../../support/machine/wait.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { serverFrame, setRelay, startRawUpstream, switching } from './stage.ts';

/** The refusal that a client gets from a gateway whose upstream answers like this. */
async function refusedBy(answer: (socket: Socket, accept: string) => void, env = {}) {
  const upstream = await startRawUpstream(answer);
  const stage = await setRelay(upstream.port, env);
  const client = await RawClient.send(stage.gateway.port, upgradeRequest({ ticket: stage.ticket.value }));
  const outcome = await client.outcome;
  if (outcome.kind !== 'refused') throw new Error(`not refused: ${outcome.kind}`);
  const [first] = outcome.answers;
  if (first === undefined) throw new Error('no answer');
  return { answer: first, answers: outcome.answers, client, upstream, ...stage };
}

const text = (...lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`;

describe('an upstream that opens no WebSocket', () => {
  const tunnel = 'GET /admin HTTP/1.1\r\nHost: internal\r\n\r\n';

  test.each([
    [
      '426',
      text('HTTP/1.1 426 Upgrade Required', 'Upgrade: websocket', 'Connection: Upgrade', 'Content-Length: 0'),
      426,
    ],
    ['200', `${text('HTTP/1.1 200 OK', 'Content-Length: 2')}hi`, 502],
    ['101 to h2c', text('HTTP/1.1 101 Switching Protocols', 'Upgrade: h2c', 'Connection: Upgrade'), 502],
    ['101 with the Accept of another key', switching('HSmrc0sMlYUkAGmm5OPpG2HaGWk='), 502],
    ['101 without Upgrade', text('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade'), 502],
    ['302', text('HTTP/1.1 302 Found', 'Location: http://internal/', 'Content-Length: 0'), 502],
    ['500', text('HTTP/1.1 500 Internal Server Error', 'Content-Length: 0'), 502],
    ['nonsense', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 502],
    ['a head without end', `HTTP/1.1 101 Switching Protocols\r\nX: ${'x'.repeat(20_000)}`, 502],
  ])('that answers %s opens no tunnel', async (_name, bytes, status) => {
    const { answer, answers, client, upstream, recordIn, ticket } = await refusedBy((socket) => {
      socket.write(`${bytes}secret bytes behind it`, 'latin1');
    });
    client.socket.write(tunnel);
    const record = await recordIn('refused');
    await until(() => upstream.sockets.every(({ destroyed, readableEnded }) => destroyed || readableEnded));

    expect(answers).toHaveLength(1);
    expect(problemOf(answer)).toMatchObject({ status, code: 'upstream_refused', retry: 'never', ticket_id: ticket.id });
    expect(client.received.toString()).not.toContain('secret');
    expect(upstream.received().toString()).not.toContain('/admin');
    expect(record.lastAttempt).toMatchObject({ outcome: 'upstream_refused', status });
    expect(record.openedAt).toBeUndefined();
  });

  test('that is given the ticket with the request gets neither its value nor its secret', async () => {
    const { upstream, ticket } = await refusedBy((socket) => socket.end(text('HTTP/1.1 500 No')));

    expect(upstream.received().toString()).not.toContain(ticket.secret);
  });
});

describe('an upstream that refuses', () => {
  const json = '{"error":"no seat left"}';
  const bodies: ReadonlyArray<readonly [string, string]> = [
    ['with a length', `Content-Length: ${json.length}\r\n\r\n${json}`],
    [
      'in chunks',
      `Transfer-Encoding: chunked\r\n\r\n5\r\n${json.slice(0, 5)}\r\n${(json.length - 5).toString(16)}\r\n${json.slice(5)}\r\n0\r\n\r\n`,
    ],
  ];

  test.each(bodies)('has its status, its headers and its body %s passed on', async (_name, rest) => {
    const { answer, recordIn } = await refusedBy((socket) =>
      socket.write(`HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nX-Internal: 10.0.0.7\r\n${rest}`),
    );

    expect(answer.status).toBe(409);
    expect(answer.body.toString()).toBe(json);
    expect(JSON.stringify(answer)).not.toContain('10.0.0.7');
    expect((await recordIn('refused')).lastAttempt).toMatchObject({ outcome: 'upstream_refused', status: 409 });
  });

  test('with a body and 426 is passed on with the protocol that the client has to speak', async () => {
    const { answer } = await refusedBy((socket) =>
      socket.write('HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno'),
    );

    expect(answer).toMatchObject({ status: 426, body: 'no' });
    expect(answer.header('upgrade')).toBe('websocket');
    expect(answer.header('sec-websocket-version')).toBe('13');
  });

  test('with a body that is too long is replaced by a problem document with its status', async () => {
    const { answer } = await refusedBy((socket) =>
      socket.write(`HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`),
    );

    expect(problemOf(answer)).toMatchObject({ status: 403, code: 'upstream_refused' });
  });
});

describe('an upstream that sends interim answers', () => {
  const HINTS = text('HTTP/1.1 103 Early Hints', 'Link: </style.css>; rel=preload');
  const CONTINUE = text('HTTP/1.1 100 Continue');
  const REFUSAL = `${text('HTTP/1.1 404 Not Found', 'Content-Type: text/plain', 'Content-Length: 12')}no such room`;

  test.each([
    ['in one piece', (socket: Socket) => socket.write(HINTS + REFUSAL)],
    ['several times', (socket: Socket) => socket.write(HINTS + CONTINUE + HINTS + REFUSAL)],
    [
      'byte by byte',
      async (socket: Socket) => {
        for (const byte of HINTS + REFUSAL) {
          socket.write(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    ],
  ])('%s has the refusal behind them passed on, and nothing before it', async (_name, answer) => {
    const refused = await refusedBy((socket) => void answer(socket));

    expect(refused.answers).toHaveLength(1);
    expect(refused.answer).toMatchObject({ status: 404, body: 'no such room' });
    expect(refused.client.received.toString()).not.toContain('Link');
  });

  test.each([
    ['103', HINTS],
    ['100', CONTINUE],
    ['both', CONTINUE + HINTS],
  ])('with %s opens with the 101 behind it, and loses no byte of what follows', async (_name, interim) => {
    const upstream = await startRawUpstream((socket, accept) => {
      socket.write(Buffer.concat([Buffer.from(interim + switching(accept)), serverFrame(1, 'welcome')]));
    });
    const { gateway, ticket } = await setRelay(upstream.port);
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));

    expect(await client.outcome).toMatchObject({ kind: 'open', answer: { status: 101 } });
    await until(() => client.received.subarray(-9).equals(serverFrame(1, 'welcome')));
    expect(client.received.toString()).not.toContain('Link');
    await client.destroy();
  });

  test('for ever is refused as upstream_refused', async () => {
    const { answer, recordIn } = await refusedBy((socket) => {
      const goOn = (): void => {
        while (socket.writable && socket.write(CONTINUE));
      };
      socket.on('drain', goOn);
      goOn();
    });

    expect(problemOf(answer)).toMatchObject({ status: 502, code: 'upstream_refused' });
    expect((await recordIn('refused')).lastAttempt).toMatchObject({ outcome: 'upstream_refused' });
  });

  test('and then nothing is refused as upstream_timeout', async () => {
    const { answer } = await refusedBy((socket) => socket.write(HINTS), { UPSTREAM_HANDSHAKE_TIMEOUT_MS: '50' });

    expect(problemOf(answer)).toMatchObject({ status: 504, code: 'upstream_timeout' });
  });

  test('with a 101 that opens no WebSocket opens no tunnel', async () => {
    const { answer } = await refusedBy((socket) =>
      socket.write(CONTINUE + text('HTTP/1.1 101 Switching Protocols', 'Upgrade: h2c', 'Connection: Upgrade')),
    );

    expect(problemOf(answer)).toMatchObject({ status: 502, code: 'upstream_refused' });
  });
});

describe('an upstream that is not there', () => {
  test('is refused as upstream_unreachable', async () => {
    const stage = await setRelay(await freePort());
    const client = await RawClient.send(stage.gateway.port, upgradeRequest({ ticket: stage.ticket.value }));
    const outcome = await client.outcome;

    expect(outcome).toMatchObject({ kind: 'refused', answers: [{ status: 502 }] });
    expect((await stage.recordIn('refused')).lastAttempt).toMatchObject({
      outcome: 'upstream_unreachable',
      status: 502,
    });
  });

  test('is refused as upstream_unreachable if it hangs up at once', async () => {
    const { answer } = await refusedBy((socket) => socket.destroy());

    expect(problemOf(answer)).toMatchObject({ status: 502, code: 'upstream_unreachable', retry: 'backoff' });
  });

  test('is refused as upstream_timeout if it does not answer', async () => {
    const { answer, recordIn } = await refusedBy(() => {}, { UPSTREAM_HANDSHAKE_TIMEOUT_MS: '50' });

    expect(problemOf(answer)).toMatchObject({ status: 504, code: 'upstream_timeout', retry: 'backoff' });
    expect((await recordIn('refused')).lastAttempt).toMatchObject({ outcome: 'upstream_timeout', status: 504 });
  });
});

test('bytes that a client sends while its upstream is dialled are refused, and never passed on', async () => {
  let answerNow = () => {};
  const upstream = await startRawUpstream((socket, accept) => {
    answerNow = () => socket.write(switching(accept));
  });
  const { gateway, ticket, recordIn } = await setRelay(upstream.port);
  const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
  await until(() => upstream.received().length > 0);
  const before = upstream.received().length;
  await new Promise<void>((resolve) => client.socket.write('early bytes', () => resolve()));
  // Another connection's whole way through the gateway: by then the bytes are there.
  await fetch(`http://127.0.0.1:${gateway.port}/`);
  answerNow();

  expect(await client.outcome).toMatchObject({ kind: 'refused', answers: [{ status: 400 }] });
  expect((await recordIn('refused')).lastAttempt).toMatchObject({ outcome: 'handshake_malformed', status: 400 });
  expect(upstream.received()).toHaveLength(before);
});

test('a client that leaves while its upstream is dialled leaves nothing open', async () => {
  const upstream = await startRawUpstream(() => {});
  const { gateway, ticket, recordIn } = await setRelay(upstream.port);
  const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
  await until(() => upstream.received().length > 0);
  client.socket.resetAndDestroy();
  const record = await recordIn('closed');
  await until(() => upstream.sockets.every((socket) => socket.readableEnded || socket.destroyed));

  expect(record).toMatchObject({ closeCode: 1006, closeReason: 'client_gone' });
});
