import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The address could not be listened on: the port is taken, or the address is not ours. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen';
}

/** Starts listening, and says on which port (the system's choice where 0 was asked for). */
export function listen(server: Server, host: string, port: number): Promise<number> {
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

/** How long a closing server waits for the requests that it has been sent. */
const CLOSE_GRACE_MS = 2_000;

/**
 * Stops accepting, and resolves when the last response has been sent. A connection on which no request
 * came, or only a part of one, would keep the server open for good: Node takes it for busy, and no
 * longer times it out. So whatever is left after a grace is cut; upgraded sockets are not touched.
 */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(grace);
      resolve();
    });
    server.closeIdleConnections();
  });
}
