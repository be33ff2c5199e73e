import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';

/** The address could not be listened on: the port is taken, or the address is not ours. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen';
}

/** Connections by where they come from. */
type Unsecured = Map<string, Socket>;

/** Of each server that speaks TLS: the connections that have not got through it. To HTTP they are none yet. */
const unsecured = new WeakMap<Server, Unsecured>();

/** Starts listening, and says on which port (the system's choice where 0 was asked for). */
export function listen(server: Server, host: string, port: number): Promise<number> {
  if (server instanceof TlsServer) unsecured.set(server, watchUnsecured(server));
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new CannotListen(`cannot listen on ${host}:${port}: ${error.code ?? error.message}`));
    });
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo; // a TCP server that listens has one
      resolve(address.port);
    });
  });
}

function watchUnsecured(server: Server): Unsecured {
  const sockets: Unsecured = new Map();
  const origin = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.on('connection', (socket) => {
    const key = origin(socket);
    sockets.set(key, socket);
    socket.once('close', () => {
      if (sockets.get(key) === socket) sockets.delete(key);
    });
  });
  server.on('secureConnection', (socket: TLSSocket) => sockets.delete(origin(socket)));
  return sockets;
}

/** How long a closing server waits for the requests that it has been sent. */
const CLOSE_GRACE_MS = 2_000;

/**
 * Stops accepting, and resolves when the last response has been sent. A connection on which no request
 * came, or only a part of one, or of TLS, would keep the server open for good: Node takes it for busy, and no
 * longer times it out. So whatever is left after a grace is cut; upgraded sockets are not touched.
 */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const grace = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of unsecured.get(server)?.values() ?? []) socket.destroy();
    }, CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(grace);
      resolve();
    });
    server.closeIdleConnections();
  });
}
