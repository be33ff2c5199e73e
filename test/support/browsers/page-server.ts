import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse, request as startRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { atEnd } from '../machine/teardown.ts';

/** The client in one file, as a page without a bundler imports it. */
export const CLIENT_BUNDLE = new URL('../../../dist/client/oncegate.min.js', import.meta.url);

/** The path of a page whose origin is opaque: it sends `Origin: null`. */
export const SANDBOXED = '/sandboxed';

/** What happens to the answer of a `POST /tickets` before the page has it; it may be replaced. */
export type BetweenIssueAndAttempt = (answer: string) => string | Promise<string>;

/**
 * A site: a blank page at `/`, the client at `/oncegate.min.js`, and in front of a ticket service `/tickets`.
 * It listens on 127.0.0.1, which is `localhost` too: two origins, and two sites.
 */
export interface PageServer {
  readonly port: number;
  /** The origin of its pages. */
  origin(host?: 'localhost' | '127.0.0.1'): string;
  /** Where the ticket service is that it passes requests on to. Without one it cuts them off. */
  serve(ticketPort: number | undefined, between?: BetweenIssueAndAttempt): void;
}

/** Starts a site on a port of its own; it ends with the test, or the test file. */
export async function startPageServer(): Promise<PageServer> {
  const bundle = readFileSync(CLIENT_BUNDLE);
  let ticketPort: number | undefined;
  let between: BetweenIssueAndAttempt | undefined;

  const server = createServer((request, response) => {
    if (request.url === '/oncegate.min.js') {
      response.setHeader('Content-Type', 'text/javascript');
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.end(bundle);
    } else if (request.url?.startsWith('/tickets')) {
      passOn(request, response, ticketPort, between).catch(() => response.destroy());
    } else {
      if (request.url === SANDBOXED) response.setHeader('Content-Security-Policy', 'sandbox allow-scripts');
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><link rel="icon" href="data:,"><title>A page</title>');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    port,
    origin: (host = 'localhost') => `http://${host}:${port}`,
    serve(newTicketPort, newBetween) {
      [ticketPort, between] = [newTicketPort, newBetween];
    },
  };
}

async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  port: number | undefined,
  between: BetweenIssueAndAttempt = (body) => body,
): Promise<void> {
  if (port === undefined) throw new Error('there is no ticket service');
  const { method, url: path, headers } = request;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const onward = startRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, resolve);
    onward.on('error', reject);
    request.pipe(onward);
  });
  const body = await buffer(answer);
  const issued = answer.statusCode === 201;
  const {
    'content-length': _length,
    'transfer-encoding': _encoding,
    connection: _connection,
    ...kept
  } = answer.headers;
  response.writeHead(answer.statusCode ?? 502, kept);
  response.end(issued ? await between(body.toString()) : body);
}
