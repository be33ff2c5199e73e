import type { AddressInfo, Server, Socket } from 'node:net';
import { atEnd } from './teardown.ts';

/**
 * Makes a server listen on a free port of 127.0.0.1. It is closed, and its connections are destroyed, with the
 * test or the test file.
 *
 * @returns the port
 */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port; // a TCP server that listens has one
}
