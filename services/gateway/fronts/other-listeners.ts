import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Node tells here of each connection that a server of the process has accepted. */
const ACCEPTED = 'net.server.socket';

/** The server that a connection came to; undefined for a stream that was made elsewhere. */
export function serverOf(socket: object): Server | undefined {
  return 'server' in socket ? (socket.server as Server | undefined) : undefined; // node:http and node:net set it
}

/**
 * Whether another listener for upgrades answers this one too: it has begun to read or to write, or is on the server and
 * will. What it opens, it opens without a ticket.
 */
export function isTaken(socket: Duplex): boolean {
  // Node has stopped the reading before it tells of an upgrade.
  if (socket.readableFlowing === true || socket.listenerCount('readable') > 0 || socket.writableLength > 0) return true;
  const server = serverOf(socket);
  return server !== undefined && listenersOn(server) > 1;
}

/**
 * Keeps back what the listeners of a server write while an upgrade is told to them, for every server of the process
 * that has several. So the gate, which may be the last to be called, can destroy the socket before a 101 is sent.
 *
 * @returns a function that ends this
 */
export function watchServers(): () => void {
  subscribe(ACCEPTED, onAccepted);
  return () => unsubscribe(ACCEPTED, onAccepted);
}

function onAccepted(message: unknown): void {
  const server = serverOf((message as { readonly socket: object }).socket); // as Node documents the channel
  if (server === undefined || listenersOn(server) < 2 || server.listenerCount('upgrade', corkOneTick) > 0) return;
  server.prependListener('upgrade', corkOneTick);
}

function corkOneTick(_request: IncomingMessage, socket: Duplex): void {
  socket.cork();
  process.nextTick(() => socket.uncork());
}

/** How many listeners for upgrades a server has, besides our own. */
function listenersOn(server: Server): number {
  return server.listenerCount('upgrade') - server.listenerCount('upgrade', corkOneTick);
}
