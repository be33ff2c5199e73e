import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { atEnd } from '../machine/teardown.ts';

/** A TCP relay in front of a server, to cut it off from its clients while it keeps what it has. */
export interface Gate {
  readonly port: number;
  /** Ends every connection and takes no new one. */
  cut(): void;
  /** Lets connections through again. */
  restore(): void;
}

export async function startGate(target: { readonly host: string; readonly port: number }): Promise<Gate> {
  const sockets = new Set<Socket>();
  let open = true;
  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  }
  const server = createServer((client) => {
    keep(client);
    if (!open) return client.destroy();
    const upstream = connect(target);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  atEnd(async () => {
    destroyAll();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    port,
    cut() {
      open = false;
      destroyAll();
    },
    restore() {
      open = true;
    },
  };
}
