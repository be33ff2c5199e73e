import 'reflect-metadata';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:tls';
import { createAdaptorServer } from '@hono/node-server';
import { createNodeWebSocket } from '@hono/node-ws';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import express from 'express';
// @ts-expect-error it has no types
import expressWs from 'express-ws';
import { Hono } from 'hono';
import { pino } from 'pino';
import { beforeAll, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { admitUpgrade, type UpgradeGate } from '../../../../services/gateway/fronts/embed.ts';
import { codeBlocks, readText } from '../../../docs/pages.ts';
import { createAuthority } from '../../../support/machine/certificates.ts';
import { listen } from '../../../support/machine/listen.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts';
import { type InProcess, runTicketService, storeTicket } from '../../../support/services/in-process.ts';
import { PATIENCE } from '../../../support/services/patience.ts';
import type { LogLine } from '../../../support/services/services.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';

let redis: RedisServer;
let tickets: InProcess;

beforeAll(async () => {
  redis = await startRedis();
  tickets = await runTicketService({ REDIS_URL: redis.url });
});

type Gate = UpgradeGate<unknown>;

async function newGate(): Promise<{ admit: Gate; log: LogLine[] }> {
  const log: LogLine[] = [];
  const admit = admitUpgrade({
    settings: { REDIS_URL: redis.url, DRAIN_SECONDS: '0', ...PATIENCE },
    log: pino({ base: {} }, { write: (line: string) => void log.push(JSON.parse(line) as LogLine) }), // one object a line
  });
  atEnd(() => admit.close());
  await until(() => admit.ready(), { what: 'the store is ready' });
  return { admit, log };
}

const greeting = (request: IncomingMessage): string => `Hello, ${request.oncegate?.subject}`;

/** A server with a library that greets whoever it has opened a WebSocket to. */
interface Served {
  readonly server: Server;
  /** Has the library add its listener for upgrades. */
  readonly start: () => unknown;
}

const libraries: Readonly<Record<string, () => Promise<Served> | Served>> = {
  ws() {
    const server = createServer();
    const start = () =>
      new WebSocketServer({ server }).on('connection', (client, request) => client.send(greeting(request)));
    return { server, start };
  },
  'express-ws'() {
    const app = express();
    const server = createServer(app);
    const start = () => {
      expressWs(app, server);
      // Its `ws` method has no types either.
      const { ws } = app as unknown as {
        ws(path: string, open: (client: WebSocket, request: IncomingMessage) => void): void;
      };
      ws.call(app, '/', (client, request) => client.send(greeting(request)));
    };
    return { server, start };
  },
  async NestJS() {
    class Gateway {
      handleConnection(client: WebSocket, request: IncomingMessage): void {
        client.send(greeting(request));
      }
    }
    class App {}
    // What decorators do, without their syntax.
    WebSocketGateway()(Gateway);
    Module({ providers: [Gateway] })(App);
    const app = await NestFactory.create(App, { logger: false });
    app.useWebSocketAdapter(new WsAdapter(app));
    return { server: app.getHttpServer() as Server, start: () => app.init() };
  },
  Hono() {
    const app = new Hono<{ Bindings: { incoming: IncomingMessage } }>();
    const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app });
    app.get(
      '/',
      upgradeWebSocket(({ env }) => ({ onOpen: (_event, client) => client.send(greeting(env.incoming)) })),
    );
    const server = createAdaptorServer(app) as Server;
    return { server, start: () => injectWebSocket(server) };
  },
};

/** The lines of the documentation. */
const [documented = ''] = codeBlocks(readText('docs/embedding.md'), 'js').filter((code) => code.includes('listeners('));
const takeOver = new Function('server', 'admit', documented) as (server: Server, admit: Gate) => void;

/** What a client receives until its socket is closed, or until it has been greeted. */
async function knock(port: number, target = '/'): Promise<string> {
  const client = await openRaw(port);
  client.socket.on('error', () => {});
  client.send(upgradeRequest({ target }));
  await Promise.race([client.closed, until(() => client.received.includes('Hello'))]);
  return client.received.toString('latin1');
}

const newTicket = async () => `/?ticket=${(await storeTicket(tickets.store)).value}`;

describe.each(Object.entries(libraries))('%s', (_library, serve) => {
  test.each(['first', 'last'])('opens nothing where its listener comes %s', async (place) => {
    const { server, start } = await serve();
    const { admit, log } = await newGate();
    const gated = () => server.on('upgrade', async (...args) => void (await admit(...args)));
    for (const add of place === 'first' ? [start, gated] : [gated, start]) await add();
    const port = await listen(server);

    expect(await knock(port)).toBe('');
    expect(await knock(port, await newTicket())).toBe('');
    expect(log.filter(({ event }) => event === 'upgrade_taken')).toHaveLength(2);
  });

  test('opens what was admitted where the gate has taken its listener over', async () => {
    const { server, start } = await serve();
    const { admit, log } = await newGate();
    await start();
    takeOver(server, admit);
    const port = await listen(server);

    expect(await knock(port)).toMatch(/^HTTP\/1\.1 401 [\s\S]*"ticket_missing"/);
    const { messages } = await openWebSocket(`ws://127.0.0.1:${port}${await newTicket()}`);
    await until(() => messages.length > 0);
    expect(messages).toEqual(['Hello, ada']);
    expect(log.filter(({ level }) => level === 40)).toEqual([]);
  });
});

describe('a TLS socket', () => {
  const pair = createAuthority().selfSigned('DNS:app.example');

  /** What a client receives until its socket is closed. */
  async function knockTls(port: number, request: string): Promise<string> {
    const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    let received = '';
    client.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    client.on('error', () => {}).write(request);
    await new Promise((resolve) => client.once('close', resolve));
    return received;
  }

  const serve = (): Server =>
    createTlsServer({ cert: pair.cert, key: pair.key }, (_request, response) => response.end('page'));

  test('opens nothing for want of an await', async () => {
    const { admit, log } = await newGate();
    const server = serve();
    const wss = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      admit(request, socket, head);
      wss.handleUpgrade(request, socket, head, () => {});
    });
    expect(await knockTls(await listen(server), upgradeRequest())).toBe('');
    expect(log).toContainEqual(expect.objectContaining({ event: 'upgrade_not_awaited' }));
  });

  test('opens nothing beside another listener, not the first either', async () => {
    const { admit, log } = await newGate();
    const server = serve();
    new WebSocketServer({ server });
    server.on('upgrade', (request, socket, head) => void admit(request, socket, head));
    expect(await knockTls(await listen(server), upgradeRequest())).toBe('');
    expect(log).toContainEqual(expect.objectContaining({ event: 'upgrade_taken' }));
  });

  test('gets the refusal, and a page where it offers another protocol', async () => {
    const { admit } = await newGate();
    const server = serve();
    server.on('upgrade', (request, socket, head) => void admit(request, socket, head));
    const port = await listen(server);
    expect(await knockTls(port, upgradeRequest())).toMatch(/^HTTP\/1\.1 401 [\s\S]*"ticket_missing"/);
    expect(await knockTls(port, upgradeRequest({ headers: { Upgrade: 'h2c' } }))).toMatch(
      /^HTTP\/1\.1 200 [\s\S]*page/,
    );
  });
});
