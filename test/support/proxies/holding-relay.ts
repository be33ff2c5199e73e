import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { atEnd } from '../machine/teardown.ts';

/** A TCP relay that can hold back what its clients send. It ends with the test, or the test file. */
export interface HoldingRelay {
  readonly port: number;
  /** Resolves when something with this text has come from a client; it and all behind it wait. */
  hold(text: string): Promise<void>;
  /** Passes on what waits, and whatever comes from now on. */
  release(): void;
}

export async function startHoldingRelay(target: {
  readonly host: string;
  readonly port: number;
}): Promise<HoldingRelay> {
  const sockets = new Set<Socket>();
  const waiting: Array<() => void> = [];
  let awaited: { readonly text: string; readonly came: () => void } | undefined;
  let holding = false;

  const server = createServer((client) => {
    const upstream = connect(target);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    upstream.pipe(client);
    client.on('data', (chunk) => {
      if (awaited !== undefined && chunk.includes(awaited.text)) {
        holding = true;
        awaited.came();
        awaited = undefined;
      }
      if (holding) waiting.push(() => upstream.write(chunk));
      else upstream.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    port,
    hold: (text) =>
      new Promise((resolve) => {
        awaited = { text, came: resolve };
      }),
    release() {
      holding = false;
      for (const pass of waiting.splice(0)) pass();
    },
  };
}
