import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { KEY_SET_PATH, MAX_HEAD_BYTES } from '../../../shared/http/admin-server.ts';
import { sendRefusal } from '../../../shared/http/send-refusal.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { destroyOnError } from '../wires/destroy-on-error.ts';
import { refuseUpgrade } from './refuse.ts';

export interface UpgradeServerOptions {
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Public keys of signed identities: the one thing that is answered to a plain request. */
  readonly keySet: object | undefined;
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
  /** Called for every request that is no upgrade, before it is refused: resolves with the refusal as it is to be written. */
  readonly onPlainRequest: (request: IncomingMessage, refusal: Refusal) => Promise<Refusal>;
  /** Told of every other refusal that is written here, of what could not be read. */
  readonly onRefused: (refusal: Refusal) => void;
  /** Told of a fault of ours; the socket concerned has been destroyed. */
  readonly onFault: (error: unknown) => void;
}

/** Slowloris: a request head must be complete by then. */
const HEADERS_TIMEOUT_MS = 10_000;

const SERVER_OPTIONS: ServerOptions = {
  maxHeaderSize: MAX_HEAD_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: HEADERS_TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  // A missing Host is refused like every other fault of a handshake, not by Node's bare 400.
  requireHostHeader: false,
};

const TOO_LONG: Refusal = {
  code: 'handshake_malformed',
  detail: `The request line and the headers may have ${MAX_HEAD_BYTES / 1024} KiB together: the cookies of the page may be too many.`,
};

/**
 * The gateway's HTTP server. It hands on upgrades and refuses the rest; whatever arrives, each socket
 * has an `'error'` listener from the first line on, because Node takes its own away on an upgrade and a
 * reset without one would end the process.
 */
export function createUpgradeServer(options: UpgradeServerOptions): Server {
  const { tls, keySet, onUpgrade, onPlainRequest, onRefused, onFault } = options;
  /** Sockets on which a request was refused, each with the moment at which that was written. */
  const answered = new WeakMap<Duplex, Promise<void>>();
  const handshakeTimeout = HEADERS_TIMEOUT_MS;
  const server =
    tls === undefined ? createServer(SERVER_OPTIONS) : createTlsServer({ ...SERVER_OPTIONS, ...tls, handshakeTimeout });

  // Node's own switch, of which its documentation says nothing: a client that has closed its side still gets its
  // answer when that has taken a moment.
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
  // Without these two Node answers an Expect header by itself: 100, or a bare 417 that keeps the socket.
  server.on('checkContinue', refusePlainRequest);
  server.on('checkExpectation', refusePlainRequest);

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    destroyOnError(socket);
    const earlier = answered.get(socket);
    const pipelined = earlier !== undefined;
    // What was asked first is answered first.
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

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // A broken request that comes in parts is reported with each of them. Its answer is on the way, and
    // to destroy the socket now would turn the close into a reset that overtakes it.
    if (answered.has(socket) && error.code !== 'ECONNRESET') return;
    destroyOnError(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else refuseRaw(socket, error.code === 'HPE_HEADER_OVERFLOW' ? TOO_LONG : { code: 'handshake_malformed' });
  });

  return server;
}
