import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';
import { camelCase, type Settings } from '../settings/table.ts';

/** A server could not listen: the port is taken, or the address is not one of this machine. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen';
}

/** Connections by the address and port that they come from. */
type Unsecured = Map<string, Socket>;

/** For each TLS server, the connections whose TLS handshake is incomplete: `closeAllConnections` does not know them. */
const unsecured = new WeakMap<Server, Unsecured>();

type PortSetting = 'TICKET_PORT' | 'GATEWAY_PORT' | 'TICKET_ADMIN_PORT' | 'GATEWAY_ADMIN_PORT';

/**
 * Starts listening on the port of a setting, at HOST or ADMIN_HOST.
 *
 * @returns the port; the system chooses it for 0
 */
export function listen(server: Server, settings: Settings, portSetting: PortSetting): Promise<number> {
  const hostSetting = portSetting.includes('ADMIN') ? 'ADMIN_HOST' : 'HOST';
  const [host, port] = [settings[camelCase(hostSetting)], settings[camelCase(portSetting)]] as [string, number]; // by their types
  if (server instanceof TlsServer) unsecured.set(server, watchUnsecured(server));
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new CannotListen(`cannot listen on ${host}:${port}: ${reasonOf(error, hostSetting, portSetting)}`));
    });
    server.listen(port, host, settings.listenBacklog, () => {
      const address = server.address() as AddressInfo; // a TCP server that listens has one
      resolve(address.port);
    });
  });
}

function reasonOf({ code = 'unknown' }: NodeJS.ErrnoException, host: string, port: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `${code}: the port is taken. Set ${port} to another port (0 for any free one), or end what listens there.`;
    case 'EACCES':
      return `${code}: this user may not open the port. Set ${port} to 1024 or more.`;
    default:
      return `${code}: set ${host} to an address of this machine.`;
  }
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

/** How long a server that closes waits for requests that are under way. */
const CLOSE_GRACE_MS = 2_000;

/**
 * Stops accepting, and resolves when the last response has been sent. Node counts a connection as busy if its
 * request or TLS handshake is incomplete, and has no time-out for it once the server closes. It would keep the
 * server open for ever, so whatever is left after a grace is destroyed. Upgraded sockets are not touched.
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
