import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { refuseUpgrade } from '../../../../services/gateway/fronts/refuse.ts';
import type { Refusal } from '../../../../shared/refusals.ts';
import { parseAnswers } from '../../../support/http/http-answer.ts';
import { until } from '../../../support/machine/wait.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';

interface Refusing {
  readonly port: number;
  /** The sockets as the server has them. */
  readonly sockets: Socket[];
}

/** A TCP server that refuses whatever arrives, once the first bytes are there. */
async function startRefusing(refusal: Refusal, before: (socket: Socket) => void = () => {}): Promise<Refusing> {
  const sockets: Socket[] = [];
  // As an HTTP server does it.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.once('readable', () => {
      before(socket);
      refuseUpgrade(socket, refusal);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, sockets };
}

const gone = ({ sockets }: Refusing) =>
  until(() => sockets.length > 0 && sockets.every(({ closed }) => closed), { what: 'the socket is gone' });

describe('the writer of refusals', () => {
  test('sends the status line, the headers and the body, exact to the byte', async () => {
    const server = await startRefusing({ code: 'ticket_expired', ticketId: 'AbCdEfGhIjKlMnOpQrStUv' });
    const client = await openRaw(server.port);
    client.send('x');
    await client.closed;
    const text = client.received.toString();
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);

    expect(text.replace(/Date: [^\r]+ GMT\r\n/, 'Date: <now>\r\n')).toBe(
      [
        'HTTP/1.1 401 Unauthorized',
        'Date: <now>',
        'Connection: close',
        'Content-Type: application/problem+json',
        'Cache-Control: no-store',
        'X-Content-Type-Options: nosniff',
        'WWW-Authenticate: Ticket realm="oncegate", error="ticket_expired"',
        `Content-Length: ${Buffer.byteLength(body)}`,
        '',
        body,
      ].join('\r\n'),
    );
    expect(JSON.parse(body)).toMatchObject({ code: 'ticket_expired', ticket_id: 'AbCdEfGhIjKlMnOpQrStUv' });
    await gone(server);
  });

  test('gets the answer through to a client that has sent 200 kB that nobody read', async () => {
    const server = await startRefusing({ code: 'handshake_malformed' });
    const client = await openRaw(server.port);
    client.send(Buffer.alloc(200_000, 'x'));
    await client.closed;

    expect(parseAnswers(client.received).map(({ statusLine }) => statusLine)).toEqual(['HTTP/1.1 400 Bad Request']);
    await gone(server);
    // Left unread, they would make the kernel answer the client with a reset.
    expect(server.sockets.map(({ bytesRead }) => bytesRead)).toEqual([200_000]);
  });

  test('gets the answer through to a client that goes on sending', async () => {
    const server = await startRefusing({ code: 'handshake_malformed' });
    const client = await openRaw(server.port);
    client.socket.on('error', () => {}); // it is cut off in the end
    client.send('x');
    let failed = false;
    client.socket.once('close', () => {
      failed = true;
    });
    await until(() => {
      if (!client.socket.writableNeedDrain && client.socket.writable) client.send(Buffer.alloc(50_000, 'x'));
      return failed;
    });

    expect(parseAnswers(client.received).map(({ statusLine }) => statusLine)).toEqual(['HTTP/1.1 400 Bad Request']);
    await gone(server);
  });

  test('lets go of a client that does not close its side', async () => {
    const server = await startRefusing({ code: 'ticket_missing' });
    const client = await openRaw(server.port);
    client.socket.allowHalfOpen = true;
    client.send('x');

    await gone(server);
    expect(parseAnswers(client.received)).toHaveLength(1);
  });

  test('answers a client that has closed its own side', async () => {
    const server = await startRefusing({ code: 'ticket_missing' });
    const client = await openRaw(server.port);
    client.socket.end('x');
    await client.closed;

    expect(parseAnswers(client.received)).toHaveLength(1);
    await gone(server);
  });

  test('survives a client that resets the connection', async () => {
    const server = await startRefusing({ code: 'ticket_missing' });
    const client = await openRaw(server.port);
    client.send(Buffer.alloc(100_000));
    client.socket.resetAndDestroy();

    await until(() => server.sockets.every(({ closed }) => closed));
    expect(client.received.toString()).not.toContain('101');
  });

  test.each([
    ['ended', (socket: Socket) => socket.end()],
    ['destroyed', (socket: Socket) => socket.destroy()],
  ])('writes nothing on a socket that is %s already', async (_name, end) => {
    const server = await startRefusing({ code: 'ticket_missing' }, (socket) => void end(socket));
    const client = await openRaw(server.port);
    client.socket.on('error', () => {});
    client.send('x');
    await client.closed;

    expect(client.received.toString()).toBe('');
    await gone(server);
  });
});
