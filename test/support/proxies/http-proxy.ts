import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as startRequest,
} from 'node:http';
import { listen } from '../machine/listen.ts';

/** Headers for one hop only (RFC 9110 §7.6.1): a proxy that does not know WebSockets drops them. */
const HOP_BY_HOP = ['connection', 'upgrade', 'keep-alive', 'te', 'trailer', 'transfer-encoding'];

/** Sends the same request to a server on this machine, with these headers. */
export function askOnward(
  request: IncomingMessage,
  port: number,
  headers: OutgoingHttpHeaders,
): Promise<IncomingMessage> {
  const { method, url: path } = request;
  return new Promise((resolve, reject) => {
    const onward = startRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, resolve);
    onward.on('error', reject);
    request.pipe(onward);
  });
}

/** Sends the same request to a server on this machine, and its answer back. */
export function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { port, headers }: { readonly port: number; readonly headers: OutgoingHttpHeaders },
): void {
  askOnward(request, port, headers)
    .then((answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    })
    .catch(() => response.destroy());
}

/**
 * Starts an HTTP proxy that turns every upgrade into a plain request. It ends with the test, or the test file.
 *
 * @returns its port
 */
export function startPlainProxy({ port }: { readonly port: number }): Promise<number> {
  const server = createServer((request, response) => {
    const kept = Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.includes(name));
    passOn(request, response, { port, headers: Object.fromEntries(kept) });
  });
  return listen(server);
}
