import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { serverOf } from './other-listeners.ts';

const WEBSOCKET = /^\s*websocket\s*(?:\/|$)/i;

/**
 * The server that answers a request as if it asked for no upgrade, because it asks for other protocols only, such as
 * h2c. Undefined if a WebSocket is asked for, or if the server has no listener for requests.
 */
export function plainServerFor({ headers: { upgrade } }: IncomingMessage, socket: Duplex): Server | undefined {
  if (upgrade === undefined || upgrade.split(',').some((protocol) => WEBSOCKET.test(protocol))) return undefined;
  const server = serverOf(socket);
  return server !== undefined && server.listenerCount('request') > 0 ? server : undefined;
}

/**
 * Has a server answer a request as one that asks for no upgrade: a server may ignore `Upgrade` (RFC 9110 §7.8), but
 * Node tells the listeners for upgrades only. So the server gets the connection again, with a request less `Upgrade`.
 *
 * @returns a promise that resolves when the connection is over
 */
export function serveAsPlain(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.unshift(Buffer.concat([headOf(request), head]));
  // These are the events that node:http and node:https listen to.
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
  return closed;
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!/^(?:upgrade|connection)$/i.test(name)) lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`, 'latin1');
}
