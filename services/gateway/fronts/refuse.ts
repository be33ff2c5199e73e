import type { Duplex } from 'node:stream';
import type { Refusal } from '../../../shared/refusals.ts';
import { refusalBytes } from './refusal-bytes.ts';

/** How long a refused client may take to close its side before the socket is destroyed. */
const LINGER_MS = 1_000;

/**
 * Writes a refusal on a raw socket; no other function does. The response is complete and is flushed before the
 * socket is destroyed. Bytes that the client still sends are read and dropped: unread bytes would turn the close
 * into a reset, which can overtake the response (RFC 9112 §9.6).
 *
 * @param method of the request, if it could be read: the answer to HEAD has no body (RFC 9110 §9.3.2)
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
