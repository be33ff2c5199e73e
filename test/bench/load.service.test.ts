import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { isMissing } from '../support/machine/programs.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { until } from '../support/machine/wait.ts';

interface Exchange {
  readonly request: string;
  readonly status: number;
  readonly after?: Buffer;
  readonly frames?: number;
  readonly closeCode?: number;
}
interface Report {
  readonly operations: number;
  readonly failures: number;
  readonly failure: string;
  readonly statuses: Readonly<Record<string, number>>;
}
interface LoadOptions {
  readonly port: number | readonly number[];
  readonly connections?: number;
  readonly rate?: number;
  readonly keepAlive?: boolean;
}

const LIB = join(import.meta.dirname, '..', '..', 'bench', 'lib');
/** The bench is plain JavaScript; what is used of it here has its types here. */
const load = (file: string) => import(pathToFileURL(join(LIB, file)).href);

const { prepareLoad } = (await load('load/load.mjs')) as {
  prepareLoad: (exchanges: readonly Exchange[], options: LoadOptions) => () => Promise<Report>;
};
const { upgradeRequest, postRequest, clientTextFrame } = (await load('load/exchanges.mjs')) as {
  upgradeRequest: (target: string) => string;
  postRequest: (target: string, body: object) => string;
  clientTextFrame: (text: string) => Buffer;
};

const COUNT = 100;
const times = (exchange: Exchange): Exchange[] => Array.from({ length: COUNT }, () => exchange);

async function listen(server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => void server.close());
  return (server.address() as AddressInfo).port; // it listens on TCP
}

async function startWebSockets() {
  const server = createHttpServer();
  const sockets = new WebSocketServer({ server });
  const seen = { opened: 0, closed: 0, closedWith: new Set<number>(), messages: [] as string[] };
  sockets.on('connection', (socket) => {
    seen.opened += 1;
    socket.on('message', (data) => {
      seen.messages.push(String(data));
      socket.send(String(data));
    });
    socket.on('close', (code) => {
      seen.closed += 1;
      seen.closedWith.add(code);
    });
  });
  return { port: await listen(server), seen };
}

/** A server that answers every connection with the same bytes, and closes it. */
function startAnswering(answer: string | Buffer): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  return listen(server);
}

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
/** What the key of the load generator asks for: the example of RFC 6455, section 1.3. */
const ACCEPTED = `${SWITCHING}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`;
const closedWith = (...payload: number[]) =>
  Buffer.concat([Buffer.from(ACCEPTED), Buffer.from([0x88, payload.length, ...payload])]);
const opening = { request: upgradeRequest('/'), status: 101 };

describe.skipIf(process.platform !== 'linux' || isMissing('cc'))('the load generator', () => {
  test('opens every connection, and closes it with 1000', async () => {
    const { port, seen } = await startWebSockets();
    expect(await prepareLoad(times(opening), { port })()).toMatchObject({
      operations: COUNT,
      failures: 0,
      statuses: { 101: COUNT },
    });
    expect(seen.opened).toBe(COUNT);
    await until(async () => seen.closed === COUNT, { what: 'the server has seen every connection end' });
    expect([...seen.closedWith]).toEqual([1000]);
  });

  test('sends what is to be sent after the 101, and waits for the answer', async () => {
    const { port, seen } = await startWebSockets();
    const report = await prepareLoad(times({ ...opening, after: clientTextFrame('hello'), frames: 1 }), { port })();
    expect(report).toMatchObject({ operations: COUNT, failures: 0 });
    expect(seen.messages).toEqual(Array.from({ length: COUNT }, () => 'hello'));
  });

  test('counts another status than the one that is expected as a failure, and says which', async () => {
    const port = await startAnswering('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    expect(await prepareLoad(times(opening), { port })()).toMatchObject({
      operations: 0,
      failures: COUNT,
      failure: 'not the status that was expected: HTTP/1.1 401 Unauthorized',
      statuses: { 401: COUNT },
    });
  });

  test('counts a connection that ends without a Close frame as a failure', async () => {
    const port = await startAnswering(ACCEPTED);
    expect(await prepareLoad(times(opening), { port })()).toMatchObject({
      operations: 0,
      failures: COUNT,
      failure: expect.stringContaining('no Close frame came back'),
    });
  });

  test('counts a Close frame of another code than the one that was sent as a failure, and says which', async () => {
    const port = await startAnswering(closedWith(0x03, 0xf3));
    expect(await prepareLoad(times(opening), { port })()).toMatchObject({
      operations: 0,
      failures: COUNT,
      failure: expect.stringContaining('a Close frame of 1011 came back'),
    });
  });

  test('counts a Close frame without a code as a failure, unless an exchange expects it', async () => {
    const port = await startAnswering(closedWith());
    expect(await prepareLoad(times(opening), { port })()).toMatchObject({
      failures: COUNT,
      failure: expect.stringContaining('a Close frame of 1005 came back'),
    });
    const report = await prepareLoad(times({ ...opening, closeCode: 1005 }), { port })();
    expect(report).toMatchObject({ operations: COUNT, failures: 0 });
  });

  test.each([
    ['no', ''],
    ['another', 'Sec-WebSocket-Accept: dGhpcyBpcyBub3QgaXQsIG5vIQ==\r\n'],
    ['a longer', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x\r\n'],
  ])('counts a 101 with %s Sec-WebSocket-Accept as a failure', async (_, header) => {
    const port = await startAnswering(`${SWITCHING}${header}\r\n`);
    expect(await prepareLoad(times(opening), { port })()).toMatchObject({
      operations: 0,
      failures: COUNT,
      failure: expect.stringContaining('not the Sec-WebSocket-Accept that was expected'),
    });
  });

  test('counts a body that is cut short as a failure', async () => {
    const port = await startAnswering('HTTP/1.1 401 Unauthorized\r\nContent-Length: 10\r\n\r\nshort');
    const report = await prepareLoad(times({ request: upgradeRequest('/'), status: 401 }), { port })();
    expect(report).toMatchObject({ operations: 0, failures: COUNT, failure: expect.stringContaining('closed early') });
  });

  test('keeps connections where it is told to', async () => {
    let connections = 0;
    let requests = 0;
    const server = createHttpServer((request, response) => {
      requests += 1;
      request.resume().on('end', () => response.writeHead(201, { 'Content-Length': 2 }).end('{}'));
    });
    server.on('connection', () => {
      connections += 1;
    });
    const port = await listen(server);
    const exchanges = times({ request: postRequest('/tickets', {}), status: 201 });
    const report = await prepareLoad(exchanges, { port, connections: 4, keepAlive: true })();
    expect(report).toMatchObject({ operations: COUNT, failures: 0, statuses: { 201: COUNT } });
    expect({ connections, requests }).toEqual({ connections: 4, requests: COUNT });
  });

  test('shares the exchanges among several servers, and leaves none out', async () => {
    const servers = await Promise.all([startWebSockets(), startWebSockets(), startWebSockets()]);
    const port = servers.map((server) => server.port);
    expect(await prepareLoad(times(opening), { port, connections: 6 })()).toMatchObject({
      operations: COUNT,
      failures: 0,
    });
    const opened = servers.map(({ seen }) => seen.opened);
    expect(opened.reduce((sum, count) => sum + count)).toBe(COUNT);
    expect(Math.min(...opened)).toBeGreaterThan(0);
  });

  test('keeps to a pace', async () => {
    const { port } = await startWebSockets();
    const start = performance.now();
    await prepareLoad(times(opening), { port, rate: 200 })();
    // The hundredth is due after 495 ms.
    expect(performance.now() - start).toBeGreaterThan(490);
  });
});
