import type { IncomingMessage } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { atEnd } from '../machine/teardown.ts';

/** A back end and what it has received. */
export interface BackEnd {
  readonly port: number;
  readonly requests: IncomingMessage[];
  readonly sockets: WebSocket[];
  readonly messages: Array<string | Buffer>;
  readonly closings: Array<readonly [code: number, reason: string]>;
}

/** Starts a back end made with `ws`, which echoes every message. */
export async function startBackEnd(options: object = {}): Promise<BackEnd> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => false, ...options });
  const seen = { requests: [], sockets: [], messages: [], closings: [] } as unknown as BackEnd; // filled as it is used
  server.on('connection', (socket, request) => {
    seen.requests.push(request);
    seen.sockets.push(socket);
    socket.on('message', (data: Buffer, isBinary) => {
      seen.messages.push(isBinary ? data : data.toString());
      socket.send(data, { binary: isBinary });
    });
    socket.on('close', (code, reason) => seen.closings.push([code, reason.toString()]));
  });
  await new Promise((resolve) => server.once('listening', resolve));
  atEnd(async () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return Object.assign(seen, { port: address.port });
}
