import type { Duplex } from 'node:stream';
import type { Refusal } from '../../../shared/refusals.ts';
import { refusalBytes } from './refusal-bytes.ts';

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
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
  socket.resume();
  socket.end(refusalBytes(refusal, method), 'latin1');
}
