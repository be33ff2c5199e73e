import { connect, createServer, type Socket } from 'node:net';

/** One end of a connection, with everything that it has received. */
export interface End {
  readonly socket: Socket;
  received(): Buffer;
  readonly ended: Promise<void>;
}

/** The two ends of a TCP connection. */
export async function socketPair(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const dialled = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const other = await accepted;
  server.close();
  for (const socket of [dialled, other]) socket.on('error', () => socket.destroy());
  return [dialled, other];
}

export function endOf(socket: Socket): End {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<void>((resolve) => {
    socket.once('end', resolve).once('close', resolve);
  });
  return { socket, received: () => Buffer.concat(chunks), ended };
}
