import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { sendRefusal } from '../../shared/http/send-refusal.ts';
import type { Refusal } from '../../shared/refusals.ts';
import { refuseUpgrade } from './refuse.ts';

export interface UpgradeServerOptions {
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /**
   * Called for every upgrade request; its socket has an `'error'` listener already.
   *
   * @param earlyBytes how many bytes came behind the request
   * @param pipelined whether an earlier request came on the same socket
   */
  readonly onUpgrade: (
    request: IncomingMessage,
    socket: Duplex,
    earlyBytes: number,
    pipelined: boolean,
  ) => Promise<void>;
  /** Told of every refusal that is written here, of what is not an upgrade at all. */
  readonly onRefused: (refusal: Refusal) => void;
  /** Told of a fault of ours; the socket concerned has been destroyed. */
  readonly onFault: (error: unknown) => void;
}

/** Slowloris: a request head must be complete by then. */
const HEADERS_TIMEOUT_MS = 10_000;

const SERVER_OPTIONS: ServerOptions = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: HEADERS_TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  // A missing Host is refused like every other fault of a handshake, not by Node's bare 400.
  requireHostHeader: false,
};

/**
 * The gateway's HTTP server. It hands on upgrades and refuses the rest; whatever arrives, each socket
 * has an `'error'` listener from the first line on, because Node takes its own away on an upgrade and a
 * reset without one would end the process.
 */
export function createUpgradeServer({ tls, onUpgrade, onRefused, onFault }: UpgradeServerOptions): Server {
  const answered = new WeakSet<Duplex>();
  const handshakeTimeout = HEADERS_TIMEOUT_MS;
  const server =
    tls === undefined ? createServer(SERVER_OPTIONS) : createTlsServer({ ...SERVER_OPTIONS, ...tls, handshakeTimeout });

  function refuseRaw(socket: Duplex, refusal: Refusal): void {
    answered.add(socket);
    refuseUpgrade(socket, refusal);
    onRefused(refusal);
  }

  function refusePlainRequest(request: IncomingMessage, response: ServerResponse): void {
    answered.add(request.socket);
    const refusal: Refusal =
      request.method === 'GET' || request.method === 'HEAD'
        ? { code: 'upgrade_required' }
        : { code: 'method_not_allowed', allow: ['GET'] };
    response.shouldKeepAlive = false;
    sendRefusal(response, refusal);
    onRefused(refusal);
  }

  server.on('request', refusePlainRequest);
  // Without these two Node answers an Expect header by itself: 100, or a bare 417 that keeps the socket.
  server.on('checkContinue', refusePlainRequest);
  server.on('checkExpectation', refusePlainRequest);

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    onUpgrade(request, socket, head.length, answered.has(socket)).catch((error: unknown) => {
      socket.destroy();
      onFault(error);
    });
  });

  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy());
    refuseRaw(socket, { code: 'method_not_allowed', allow: ['GET'] });
  });

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // A broken request that comes in parts is reported with each of them. Its answer is on the way, and
    // to destroy the socket now would turn the close into a reset that overtakes it.
    if (answered.has(socket) && error.code !== 'ECONNRESET') return;
    socket.on('error', () => socket.destroy());
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else refuseRaw(socket, { code: 'handshake_malformed' });
  });

  return server;
}
