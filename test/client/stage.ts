import { type AddressInfo, createServer, type Socket } from 'node:net';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { connect } from '../../client/connect/connect.ts';
import { ConnectRefused } from '../../client/errors/connect-refused.ts';
import type { ConnectOptions } from '../../client/options.ts';
import { createStore } from '../../shared/store/create-store.ts';
import { bearer } from '../support/logins/bearer.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { startTcpProxy, type TcpProxy } from '../support/proxies/tcp-proxy.ts';
import {
  type Environment,
  type InProcess,
  runGateway,
  runTicketService,
  settingsOf,
} from '../support/services/in-process.ts';

/** Both services on one store, and what their client needs. */
export interface Stage {
  readonly tickets: InProcess;
  readonly gateway: InProcess;
  /** Between the clients and the gateway. */
  readonly gate: TcpProxy;
  /** Options of a client with the credentials of ada, for Node 20. */
  readonly options: ConnectOptions<WebSocket> & { readonly tickets: string };
  /** The ids of all issued tickets, in order. */
  issued(): unknown[];
  /** How many connections the gateway has opened so far. */
  opened(): number;
}

export async function setStage(environment: { gateway?: Environment; tickets?: Environment } = {}): Promise<Stage> {
  const store = createStore(await settingsOf({}), pino({ level: 'silent' }));
  const gateway = await runGateway({ ...environment.gateway }, { store });
  const gate = await startTcpProxy({ host: '127.0.0.1', port: gateway.port });
  const tickets = await runTicketService(
    { GATEWAY_URL: `ws://127.0.0.1:${gate.port}`, ...environment.tickets },
    { store },
  );
  return {
    tickets,
    gateway,
    gate,
    options: {
      tickets: `http://127.0.0.1:${tickets.port}/tickets`,
      headers: { Authorization: await bearer('ada') },
      WebSocket,
    },
    issued: () => tickets.log.filter(({ event }) => event === 'issue').map(({ ticket_id }) => ticket_id),
    opened: () => gateway.log.filter(({ event }) => event === 'open').length,
  };
}

/** A server that accepts every connection and never answers. */
export interface SilentServer {
  readonly port: number;
  /** How many connections are open now. */
  connections(): number;
}

export async function startSilentServer(): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return { port, connections: () => sockets.size };
}

/** The answer of a ticket service that refuses. */
export function problem(
  status: number,
  fields: { readonly code: string } & Readonly<Record<string, unknown>>,
): Response {
  const body = { type: `urn:oncegate:problem:${fields.code}`, title: 'A refusal', status, ...fields };
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/problem+json' } });
}

/** Options without a backoff that is worth waiting for. */
export const SOON = { backoff: { baseMs: 1, maxMs: 1 } };

/** Connects with the class of `ws`, unless another is given; the socket is terminated when the test ends. */
export async function open(options: ConnectOptions<WebSocket>): Promise<WebSocket> {
  const socket = await connect({ WebSocket, ...options });
  atEnd(async () => socket.terminate());
  return socket;
}

/** What connect rejects with. */
export async function refusalOf(options: ConnectOptions<WebSocket>): Promise<ConnectRefused> {
  const error = await open(options).catch((reason: unknown) => reason);
  if (error instanceof ConnectRefused) return error;
  throw new Error('it was not refused', { cause: error });
}

export function nextMessage(socket: WebSocket): Promise<string> {
  return new Promise((resolve) =>
    socket.addEventListener('message', ({ data }) => resolve(String(data)), { once: true }),
  );
}
