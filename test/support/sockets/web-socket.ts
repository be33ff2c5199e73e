import { type ClientOptions, WebSocket } from 'ws';
import { atEnd } from '../machine/teardown.ts';
import { until } from '../machine/wait.ts';

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** An open WebSocket and what it has received. */
export interface Client {
  readonly socket: WebSocket;
  /** Text as strings, binary as buffers. */
  readonly messages: ReadonlyArray<string | Buffer>;
  readonly closed: Promise<Closed>;
  /** The time of its close, by `performance.now()`. */
  closedAt(): number | undefined;
}

/** The handshake was answered with another status than 101. */
export class Refused extends Error {
  readonly status: number;
  readonly code: unknown;

  constructor(status: number, body: string) {
    super(`refused with ${status}: ${body}`);
    this.status = status;
    this.code = body.startsWith('{') ? (JSON.parse(body) as { code?: unknown }).code : undefined; // any object may be one
  }
}

/** Opens a WebSocket with the client of `ws`; it is terminated with the test, or the test file. */
export function openWebSocket(
  url: string,
  { protocols = [], ...options }: ClientOptions & { protocols?: readonly string[] } = {},
): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, [...protocols], options);
    const messages: Array<string | Buffer> = [];
    let closedAt: number | undefined;
    const closed = new Promise<Closed>((done) => {
      socket.on('close', (code, reason) => {
        closedAt = performance.now();
        done({ code, reason: reason.toString() });
      });
    });
    socket.on('message', (data: Buffer, isBinary) => messages.push(isBinary ? data : data.toString()));
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => reject(new Refused(response.statusCode ?? 0, body)));
    });
    socket.on('open', () => {
      atEnd(async () => socket.terminate());
      resolve({ socket, messages, closed, closedAt: () => closedAt });
    });
  });
}

/** Opens a WebSocket with a ticket value in the query and waits for the echo's hello. */
export async function openWithTicket(port: number, ticket: string, options: ClientOptions = {}): Promise<Client> {
  const client = await openWebSocket(`ws://127.0.0.1:${port}/?ticket=${ticket}`, options);
  await until(() => client.messages.length > 0, { what: 'the hello' });
  return client;
}
