import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Answer, parseAnswer, parseAnswers } from '../http/http-answer.ts';

/** How a hand-made handshake ended. */
export type Outcome =
  /** The server answered with 101 and keeps the socket. */
  | { readonly kind: 'open'; readonly answer: Answer }
  /** The server answered with something else and closed its side (FIN). */
  | { readonly kind: 'refused'; readonly answers: readonly Answer[] }
  /** The server, or the way to it, broke the connection (RST). */
  | { readonly kind: 'reset'; readonly received: Buffer };

/** A way to hand a ticket over. */
export type CarrierName = 'query' | 'subprotocol' | 'authorization';

export interface UpgradeOptions {
  readonly host?: string;
  readonly path?: string;
  readonly ticket?: string;
  /** Where the ticket goes; the Authorization header unless said otherwise. */
  readonly carrier?: CarrierName;
  /** More header lines. */
  readonly headers?: readonly string[];
}

/** The bytes of a good upgrade request, as lines still, for those who want to break it. */
export function upgradeLines(options: UpgradeOptions = {}): string[] {
  const { host = 'localhost', path = '/', ticket, carrier = 'authorization', headers = [] } = options;
  const lines = [
    `GET ${path}${ticket !== undefined && carrier === 'query' ? `?ticket=${ticket}` : ''} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ];
  if (ticket !== undefined && carrier === 'authorization') lines.push(`Authorization: Ticket ${ticket}`);
  if (ticket !== undefined && carrier === 'subprotocol') {
    lines.push(`Sec-WebSocket-Protocol: oncegate.v1, oncegate.ticket.${ticket}`);
  }
  return [...lines, ...headers];
}

/** A good upgrade request. */
export function upgradeRequest(options: UpgradeOptions = {}): Buffer {
  return Buffer.from(`${upgradeLines(options).join('\r\n')}\r\n\r\n`);
}

export interface RawClientOptions {
  /** The address to come from; on Linux all of 127.0.0.0/8 is this machine's. */
  readonly localAddress?: string;
  /** Whether the answer comes without a body (to HEAD). */
  readonly bodiless?: boolean;
}

/** The client's side of a TCP connection, byte for byte. It is connected already. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the server has answered with 101, or has ended the connection in whichever way. */
  readonly outcome: Promise<Outcome>;
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;
  readonly #chunks: Buffer[] = [];

  static connect(port: number, options: RawClientOptions = {}): Promise<RawClient> {
    const { localAddress } = options;
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ...(localAddress !== undefined && { localAddress }) });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket, options.bodiless ?? false));
      });
    });
  }

  /** Connects and sends one request. */
  static async send(port: number, bytes: Buffer | string, options?: RawClientOptions): Promise<RawClient> {
    const client = await RawClient.connect(port, options);
    client.socket.write(bytes);
    return client;
  }

  private constructor(socket: Socket, bodiless: boolean) {
    this.socket = socket;
    socket.setNoDelay(true);
    this.outcome = new Promise((resolve, reject) => {
      const refused = (): void => {
        try {
          resolve({ kind: 'refused', answers: parseAnswers(this.received, bodiless) });
        } catch (error) {
          reject(error);
        }
      };
      socket.on('data', (chunk) => {
        this.#chunks.push(chunk);
        const answer = this.#switched();
        if (answer !== undefined) resolve({ kind: 'open', answer });
      });
      socket.on('end', refused);
      socket.on('error', () => resolve({ kind: 'reset', received: this.received }));
      socket.on('close', () => resolve({ kind: 'reset', received: this.received }));
    });
    this.outcome.catch(() => {}); // whoever does not await it does not want to know
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
  }

  /** Everything that came so far. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Gives the socket up without a word. */
  destroy(): Promise<void> {
    this.socket.destroy();
    return this.closed;
  }

  /** The 101, if that is what the server has answered with. */
  #switched(): Answer | undefined {
    if (!(this.#chunks[0]?.toString('latin1', 0, 12) === 'HTTP/1.1 101')) return undefined;
    const parsed = parseAnswer(this.received);
    return parsed.complete ? parsed.answer : undefined;
  }
}
