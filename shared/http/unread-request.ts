import { IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Refusal } from '../refusals.ts';

/**
 * The longest request head that is read, on every port. It is twice Node's default, because a request carries all
 * cookies of a page.
 */
export const MAX_HEAD_BYTES = 32_768;

/** How long a request, and a TLS handshake, may take to be complete (Slowloris). */
export const REQUEST_TIMEOUT_MS = 10_000;

/** The bounds of every server for what it reads. */
export const READING = {
  maxHeaderSize: MAX_HEAD_BYTES,
  headersTimeout: REQUEST_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
} as const;

/** How long a client may take to close its side, once it was told why its request was not read. */
const LINGER_MS = 1_000;

/** What Node passes to the listeners of `clientError`. */
export type ReadingError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

/**
 * The refusal of a request that Node could not read.
 *
 * @param malformed the code if it breaks the rules of HTTP
 */
export function unreadRefusal({ code }: ReadingError, malformed: Refusal['code']): Refusal {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { code: 'request_timeout' };
    case 'HPE_HEADER_OVERFLOW':
      return {
        code: malformed,
        detail: `The request line and the headers may have ${MAX_HEAD_BYTES / 1024} KiB together. The page may have too many cookies.`,
      };
    default:
      return { code: malformed };
  }
}

/**
 * Has a server answer requests that Node cannot read with a refusal. By itself Node writes a bare status, which tells
 * a client nothing, and without CORS a page cannot see even that.
 *
 * @param refuse writes the answer. The request has its `Origin`, if that was among what was read.
 */
export function answerUnread(
  server: Server,
  refuse: (request: IncomingMessage, response: ServerResponse, refusal: Refusal) => void,
): void {
  const awaited = new WeakMap<Socket, ServerResponse<IncomingMessage>>();
  const answered = new WeakSet<Socket>();
  server.on('request', (request, response) => awaited.set(request.socket, response));

  server.on('clientError', (error: ReadingError, socket: Socket) => {
    // Node reports a malformed request again with each part that arrives, and a slow one every second.
    if (answered.has(socket) && error.code !== 'ECONNRESET') return;
    answered.add(socket);
    socket.on('error', () => socket.destroy());
    const pending = awaited.get(socket);
    const response = pending === undefined || pending.writableFinished ? responseTo(error, socket) : pending;
    if (error.code === 'ECONNRESET' || !socket.writable || response.headersSent) return void socket.destroy();
    response.shouldKeepAlive = false;
    response.on('finish', () => end(socket, error));
    // A handler that is still at work may write another answer behind this one.
    response.on('error', () => {});
    refuse(response.req, response, unreadRefusal(error, 'request_malformed'));
  });
}

/** A response to a request of which no head was read. */
function responseTo({ rawPacket }: ReadingError, socket: Socket): ServerResponse<IncomingMessage> {
  const request = new IncomingMessage(socket);
  const [, origin] = /\r\norigin:[ \t]*([!-~]+)[ \t]*\r\n/i.exec(rawPacket?.toString('latin1') ?? '') ?? [];
  if (origin !== undefined) request.headers.origin = origin;
  const response = new ServerResponse(request);
  if (socket.writable) response.assignSocket(socket);
  return response;
}

/**
 * Ends a connection so that the answer arrives: unread bytes would turn the close into a reset, which can overtake it
 * (RFC 9112 §9.6). A slow request is not read on, or its end would still be acted on.
 */
function end(socket: Socket, { code }: ReadingError): void {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.pause();
  else socket.resume();
  socket.end();
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
}
