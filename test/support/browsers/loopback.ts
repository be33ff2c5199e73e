import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { atEnd } from '../machine/teardown.ts';

/** An HTTP server on 127.0.0.1 that can be stopped and paused. It ends with the test, or the test file. */
export interface Loopback {
  readonly url: string;
  /** Method and path of every request so far, including those without an answer. */
  readonly requests: readonly string[];
  /** The number of requests so far for a path. */
  count(path: string): number;
  /** Ends every connection and stops listening. */
  stop(): Promise<void>;
  /** Listens again on the same port. */
  start(): Promise<void>;
  /** Accepts requests from now on without ever answering them. */
  pause(): void;
  /** Answers requests again from now on. */
  resume(): void;
}

export async function startLoopback(listener: RequestListener): Promise<Loopback> {
  const requests: string[] = [];
  let paused = false;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (!paused) listener(request, response);
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  atEnd(stop);
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    count: (path) => requests.filter((request) => request.split(/[ ?]/)[1] === path).length,
    stop,
    async start() {
      if (!server.listening) await listen(server, port);
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
