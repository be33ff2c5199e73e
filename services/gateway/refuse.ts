import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { problemOf } from '../../shared/problem.ts';
import type { Refusal } from '../../shared/refusals.ts';

/** How long a refused client may take to close its side. */
const LINGER_MS = 1_000;

/**
 * Writes a refusal on a raw socket. The only function that does: a complete HTTP/1.1 response, exact
 * to the byte, flushed before the socket is given up. What the client still sends is read and
 * dropped, because unread bytes would turn the close into a reset that overtakes the response
 * (RFC 9112 §9.6).
 *
 * @param method of the request, where it could be read: the answer to HEAD has no body (RFC 9110 §9.3.2)
 */
export function refuseUpgrade(socket: Duplex, refusal: Refusal, method?: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = problemOf(refusal);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
  socket.resume();
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  socket.end(method === 'HEAD' ? head : Buffer.concat([head, Buffer.from(body)]));
}
