import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listen } from '../machine/listen.ts';
import { askOnward } from '../proxies/http-proxy.ts';

/** The client in one file, for pages without a bundler. */
export const CLIENT_BUNDLE = new URL('../../../dist/client/oncegate.min.js', import.meta.url);

/** The path of a page whose origin is opaque: it sends `Origin: null`. */
export const SANDBOXED = '/sandboxed';

/** Called with the body of a 201 to `POST /tickets`; returns the body that the page gets. */
export type BetweenIssueAndAttempt = (answer: string) => string | Promise<string>;

/**
 * A site with a blank page at `/`, the client at `/oncegate.min.js`, and a ticket service behind `/tickets`.
 * It is reached as 127.0.0.1 and as `localhost`: two origins, and two sites.
 */
export interface PageServer {
  readonly port: number;
  /** The origin of its pages. */
  origin(host?: 'localhost' | '127.0.0.1'): string;
  /** Sets the port of the ticket service. Without one, requests for tickets are cut off. */
  serve(ticketPort: number | undefined, between?: BetweenIssueAndAttempt): void;
}

/** Starts a site on a free port. It ends with the test, or the test file. */
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
      passOnWith(request, response, ticketPort, between).catch(() => response.destroy());
    } else {
      if (request.url === SANDBOXED) response.setHeader('Content-Security-Policy', 'sandbox allow-scripts');
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><link rel="icon" href="data:,"><title>A page</title>');
    }
  });
  const port = await listen(server);
  return {
    port,
    origin: (host = 'localhost') => `http://${host}:${port}`,
    serve(newTicketPort, newBetween) {
      [ticketPort, between] = [newTicketPort, newBetween];
    },
  };
}

async function passOnWith(
  request: IncomingMessage,
  response: ServerResponse,
  port: number | undefined,
  between: BetweenIssueAndAttempt = (body) => body,
): Promise<void> {
  if (port === undefined) throw new Error('there is no ticket service');
  const answer = await askOnward(request, port, request.headers);
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
