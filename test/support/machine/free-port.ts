import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Finds a port of 127.0.0.1 that no process listens on. It is below the range that the system uses for `listen(0)` and
 * for outgoing connections. So a server restarted on it finds it free, and a client that keeps reconnecting cannot
 * connect to itself. Another process may take the port first; the caller then tries another one.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(10_000, 30_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port found');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
