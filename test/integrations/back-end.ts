import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { atEnd } from '../support/machine/teardown.ts';

/** An upgrade as it reached the back end. */
export interface Arrival {
  readonly url: string;
  readonly rawHeaders: readonly string[];
}

/** A WebSocket back end that knows nothing of tickets. It is stopped after the test or the test file. */
export interface BackEnd {
  readonly port: number;
  /** Every upgrade that reached it. */
  readonly arrivals: readonly Arrival[];
  /** Every other request that reached it, by its path. */
  readonly plain: readonly string[];
  /** Ends every connection and takes no new one. */
  stop(): Promise<void>;
  /** Listens again on the same port. */
  start(): Promise<void>;
}

/** A path with an answer of the back end's own. */
export const NO_SUCH_ROOM = '/no-such-room';

/** Starts a back end that greets with what it was told of the caller, and then echoes. Its only subprotocol is `chat`. */
export async function startBackEnd(): Promise<BackEnd> {
  const arrivals: Arrival[] = [];
  const plain: string[] = [];
  const sockets = new Set<Socket>();
  const webSockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has('chat') ? 'chat' : false),
  });
  // Claims, a signed identity and a long path exceed the 16 KiB that Node accepts by default.
  const server = createServer({ maxHeaderSize: 65_536 }, ({ url = '' }, response) => {
    plain.push(url);
    response.end('a page');
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket: Socket, head) => {
    const { url = '', rawHeaders, headers } = request;
    socket.on('error', () => socket.destroy());
    arrivals.push({ url, rawHeaders });
    if (url.startsWith(NO_SUCH_ROOM)) {
      const body = 'no such room';
      socket.end(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      // When Caddy stops, it sends a Close frame without a mask (RFC 6455 §5.1).
      webSocket.on('error', () => webSocket.terminate());
      webSocket.send(`hello, ${headers['oncegate-subject'] ?? 'whoever you are'}`);
      webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
    });
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  await listen(0);
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  atEnd(stop);
  return { port, arrivals, plain, stop, start: () => listen(port) };
}
