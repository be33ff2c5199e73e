import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { KEY_SET_PATH } from '../../../shared/http/admin-server.ts';
import { sendRefusal } from '../../../shared/http/send-refusal.ts';
import { READING, REQUEST_TIMEOUT_MS, type ReadingError, unreadRefusal } from '../../../shared/http/unread-request.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { destroyOnError } from '../wires/destroy-on-error.ts';
import { refuseUpgrade } from './refuse.ts';

export interface UpgradeServerOptions {
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Public keys of signed identities. Nothing else is served to a plain request. */
  readonly keySet: object | undefined;
  /**
   * Called for every upgrade request. Its socket already has an `'error'` listener.
   *
   * @param earlyBytes how many bytes followed the request
   * @param pipelined whether an earlier request came on the same socket
   */
  readonly onUpgrade: (
    request: IncomingMessage,
    socket: Duplex,
    earlyBytes: number,
    pipelined: boolean,
  ) => Promise<void>;
  /** Called for every request that is no upgrade, before it is refused. Resolves with the refusal to write. */
  readonly onPlainRequest: (request: IncomingMessage, refusal: Refusal) => Promise<Refusal>;
  /** Called for every refusal of a request that could not be read. */
  readonly onRefused: (refusal: Refusal) => void;
  /** Called for every fault of the gateway, after the socket has been destroyed. */
  readonly onFault: (error: unknown) => void;
}

const SERVER_OPTIONS: ServerOptions = {
  ...READING,
  keepAliveTimeout: 5_000,
  // A missing Host is refused like every other malformed handshake, not with Node's bare 400.
  requireHostHeader: false,
};

/**
 * The gateway's HTTP server. It passes on upgrades and refuses all other requests. Each socket gets an `'error'`
 * listener at once: Node removes its own on an upgrade, and a reset without a listener would end the process.
 */
export function createUpgradeServer(options: UpgradeServerOptions): Server {
  const { tls, keySet, onUpgrade, onPlainRequest, onRefused, onFault } = options;
  /** Sockets on which a request was answered, each with a promise that resolves once the answer is written. */
  const answered = new WeakMap<Duplex, Promise<void>>();
  const handshakeTimeout = REQUEST_TIMEOUT_MS;
  const server =
    tls === undefined ? createServer(SERVER_OPTIONS) : createTlsServer({ ...SERVER_OPTIONS, ...tls, handshakeTimeout });

  // An undocumented switch of Node: a client that has closed its side still gets an answer that takes a while.
  Object.assign(server, { httpAllowHalfOpen: true });

  function refuseRaw(socket: Duplex, refusal: Refusal): void {
    answered.set(socket, Promise.resolve());
    refuseUpgrade(socket, refusal);
    onRefused(refusal);
  }

  function refusePlainRequest(request: IncomingMessage, response: ServerResponse): void {
    if (keySet !== undefined && request.method === 'GET' && request.url === KEY_SET_PATH) {
      answered.set(request.socket, Promise.resolve());
      response.shouldKeepAlive = false;
      response.setHeader('Content-Type', 'application/jwk-set+json');
      response.end(JSON.stringify(keySet));
      return;
    }
    const refusal: Refusal =
      request.method === 'GET' || request.method === 'HEAD'
        ? { code: 'upgrade_required' }
        : { code: 'method_not_allowed', allow: ['GET'] };
    response.shouldKeepAlive = false;
    refuseNoted(request, refusal, request.socket, (noted) => sendRefusal(response, noted));
  }

  function refuseNoted(
    request: IncomingMessage,
    refusal: Refusal,
    socket: Duplex,
    write: (refusal: Refusal) => void,
  ): void {
    const written = onPlainRequest(request, refusal)
      .then(write)
      .catch((error: unknown) => {
        socket.destroy();
        onFault(error);
      });
    answered.set(socket, written);
  }

  server.on('request', refusePlainRequest);
  // Without these two listeners Node answers an Expect header itself: with 100, or with a bare 417.
  server.on('checkContinue', refusePlainRequest);
  server.on('checkExpectation', refusePlainRequest);

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    destroyOnError(socket);
    const earlier = answered.get(socket);
    const pipelined = earlier !== undefined;
    // Pipelined requests are answered in their order.
    const upgraded = pipelined
      ? earlier.then(() => onUpgrade(request, socket, head.length, pipelined))
      : onUpgrade(request, socket, head.length, pipelined);
    upgraded.catch((error: unknown) => {
      socket.destroy();
      onFault(error);
    });
  });

  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    destroyOnError(socket);
    refuseNoted(request, { code: 'method_not_allowed', allow: ['GET'] }, socket, (noted) => {
      refuseUpgrade(socket, noted);
    });
  });

  server.on('clientError', (error: ReadingError, socket: Duplex) => {
    // Node reports a malformed request again with each part that arrives. Its answer is being written: if the socket
    // were destroyed now, a reset would overtake it.
    if (answered.has(socket) && error.code !== 'ECONNRESET') return;
    destroyOnError(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else refuseRaw(socket, unreadRefusal(error, 'handshake_malformed'));
  });

  return server;
}
