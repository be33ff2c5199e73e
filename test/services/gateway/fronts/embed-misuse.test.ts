import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { admitUpgrade, type UpgradeGate } from '../../../../services/gateway/fronts/embed.ts';
import { parseAnswers } from '../../../support/http/http-answer.ts';
import { listen } from '../../../support/machine/listen.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import type { LogLine } from '../../../support/services/services.ts';
import { clientFrame } from '../../../support/sockets/frames.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';

type Gate = UpgradeGate<unknown>;
type Listener = (request: IncomingMessage, socket: Socket, head: Buffer) => unknown;

let log: LogLine[];
/** Messages that have reached the application. */
let heard: string[];
let admit: Gate;
let wss: WebSocketServer;

beforeEach(async () => {
  log = [];
  heard = [];
  admit = newGate();
  wss = new WebSocketServer({ noServer: true });
  wss.on('connection', (client) => {
    client.on('error', () => {});
    client.on('message', (text) => heard.push(String(text)));
    client.send('a greeting');
  });
});

function newGate(): Gate {
  const gate = admitUpgrade({
    settings: { DRAIN_SECONDS: '0' },
    log: pino({ base: {} }, { write: (line: string) => void log.push(JSON.parse(line) as LogLine) }), // one object a line
  });
  atEnd(() => gate.close());
  return gate;
}

/** What a misuse says in the log. */
const warnings = () => log.filter(({ event }) => String(event).startsWith('upgrade_'));

async function serve(onUpgrade?: Listener, server: Server = createServer((_, response) => response.end('page'))) {
  if (onUpgrade !== undefined) server.on('upgrade', onUpgrade);
  return listen(server);
}

const open: Listener = (request, socket, head) =>
  wss.handleUpgrade(request, socket, head, (client) => wss.emit('connection', client, request));

const FRAME = clientFrame(1, 'early');

/** What a client without a ticket receives until its socket is closed. */
async function knock(port: number, bytes: string | Buffer = upgradeRequest()): Promise<string> {
  const client = await openRaw(port);
  client.socket.on('error', () => {});
  client.send(bytes);
  await client.closed;
  return client.received.toString('latin1');
}

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';

/** Calls the gate as plain JavaScript can: TypeScript refuses an `if` about a promise. */
const ask = (...args: Parameters<Listener>): unknown => admit(...args);

/** Writes by the handle, as a native library does. */
function writeRaw(socket: Socket): void {
  const { _handle } = socket as unknown as { _handle: { writeLatin1String(request: object, text: string): number } };
  _handle.writeLatin1String({}, SWITCHED);
}

describe('a socket that is written to before the decision', () => {
  const early: ReadonlyArray<[how: string, listener: Listener]> = [
    ['an `if` without await', (...args) => ask(...args) && open(...args)],
    ['.then in the wrong place', (...args) => void admit(...args).then(() => {}, open(...args) as undefined)],
    ['write', (request, socket, head) => ask(request, socket, head) && socket.write(SWITCHED)],
    ['end', (request, socket, head) => ask(request, socket, head) && socket.end(SWITCHED)],
    [
      'a corked write',
      (request, socket, head) => {
        admit(request, socket, head);
        socket.cork();
        socket.write(SWITCHED);
      },
    ],
    [
      'a corked write that is uncorked',
      (request, socket, head) => {
        admit(request, socket, head);
        socket.cork();
        socket.write('HTTP/1.1 101 Switching Protocols\r\n');
        socket.write('\r\n');
        socket.uncork();
      },
    ],
    [
      'a pipe',
      (request, socket, head) => {
        admit(request, socket, head);
        socket.pipe(socket);
        socket.write(SWITCHED);
      },
    ],
    [
      'the handle',
      (request, socket, head) => {
        admit(request, socket, head);
        writeRaw(socket);
      },
    ],
    [
      'the socket of the request',
      (request, socket, head) => ask(request, socket, head) && open(request, request.socket, head),
    ],
    [
      'a microtask',
      (...args) => {
        admit(...args);
        queueMicrotask(() => open(...args));
      },
    ],
    [
      'a listener that has let the client speak first',
      (request, socket, head) => {
        admit(request, socket, head);
        socket.unshift(FRAME);
        open(request, socket, head);
      },
    ],
  ];

  test.each(early)('by %s is destroyed, and the log says what to write', async (_how, listener) => {
    const port = await serve(listener);
    expect(await knock(port)).toBe('');
    expect(await knock(port, Buffer.concat([Buffer.from(upgradeRequest()), FRAME]))).toBe('');
    const warning = { level: 40, event: 'upgrade_not_awaited', msg: expect.stringContaining('if (await admit(') };
    expect(warnings()).toEqual([expect.objectContaining(warning), expect.objectContaining(warning)]);
    expect(heard).toEqual([]);
  });

  test('is destroyed where the client sent two requests at once, and nobody is blamed for the answer to the first', async () => {
    const server = createServer((_request, response) => void setImmediate(() => response.end('page')));
    const port = await serve((...args) => ask(...args) && open(...args), server);
    const received = await knock(port, `GET / HTTP/1.1\r\nHost: x\r\n\r\n${upgradeRequest()}`);

    expect(received).not.toContain('101');
    expect(warnings()).toEqual([]);
  });
});

describe('a refusal', () => {
  test('goes out in full although the application opens all the same', async () => {
    const port = await serve((...args) => void admit(...args).then(() => open(...args)));
    const received = await knock(port);

    expect(parseAnswers(Buffer.from(received))).toHaveLength(1);
    expect(received).toMatch(/^HTTP\/1\.1 401 [\s\S]*"code":"ticket_missing"/);
    expect(heard).toEqual([]);
  });

  test('goes out in full although the gate is asked again', async () => {
    const other = newGate();
    const port = await serve(async (...args) => (await admit(...args)) ?? (await other(...args)));
    expect(parseAnswers(Buffer.from(await knock(port)))).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });
});

test('an upgrade that the gate is asked about twice is closed', async () => {
  const port = await serve((...args) => [admit(...args), admit(...args)]);

  expect(await knock(port)).toBe('');
  expect(warnings()).toEqual([expect.objectContaining({ level: 40, event: 'upgrade_asked_twice' })]);
});

describe('beside another listener for upgrades', () => {
  const withWs = (server: Server): void => {
    const other = new WebSocketServer({ server });
    other.on('connection', (client) => {
      client.on('error', () => {});
      client.on('message', (text) => heard.push(String(text)));
      client.send('a greeting');
    });
  };
  const later = (server: Server): void => {
    server.on('upgrade', async (...args) => {
      await new Promise(setImmediate);
      open(...(args as Parameters<Listener>)); // node:http passes on sockets of node:net
    });
  };
  const gated: Listener = async (...args) => (await admit(...args)) && open(...args);
  const late: Listener = async (...args) => {
    await new Promise(setImmediate);
    await gated(...args);
  };
  const otherFirst = (other: (server: Server) => void) => (server: Server, listener: Listener) => {
    other(server);
    server.on('upgrade', listener);
  };
  const otherLast = (other: (server: Server) => void) => (server: Server, listener: Listener) => {
    server.on('upgrade', listener);
    other(server);
  };

  test.each([
    ['that comes first', otherFirst(withWs)],
    ['that comes last', otherLast(withWs)],
    ['that comes first and answers late', otherFirst(later)],
    ['that comes last and answers late', otherLast(later)],
    ['of a second gate', otherFirst((server) => void server.on('upgrade', newGate()))],
  ])('(%s) nothing opens, not the first either, and the log says what to write', async (_which, arrange) => {
    const server = createServer();
    arrange(server, gated);
    const port = await listen(server);

    expect(await knock(port)).toBe('');
    expect(await knock(port, Buffer.concat([Buffer.from(upgradeRequest()), FRAME]))).toBe('');
    expect(
      warnings().filter(({ msg }) => String(msg).includes("removeAllListeners('upgrade')")).length,
    ).toBeGreaterThan(1);
    expect(warnings().every(({ level }) => level === 40)).toBe(true);
    expect(heard).toEqual([]);
  });

  test('a socket that was opened before the gate was asked is closed', async () => {
    const server = createServer();
    otherFirst(withWs)(server, late);
    await knock(await listen(server));

    expect(warnings()).toEqual([expect.objectContaining({ event: 'upgrade_taken' })]);
  });

  test('of another server of the process, both work as before', async () => {
    const server = createServer();
    withWs(server);
    server.on('upgrade', () => {});
    const { messages } = await openWebSocket(`ws://127.0.0.1:${await listen(server)}/`);
    await until(() => messages.length > 0);

    expect(messages).toEqual(['a greeting']);
    expect(warnings()).toEqual([]);
  });
});
