import { connect, type Socket } from 'node:net';
import { type Answer, parseAnswer, parseAnswers } from '../http/http-answer.ts';
import { atEnd } from '../machine/teardown.ts';

/** How a handshake over a raw connection ended. */
export type Outcome =
  /** The server answered with 101 and keeps the socket. */
  | { readonly kind: 'open'; readonly answer: Answer }
  /** The server answered with something else and closed its side (FIN). */
  | { readonly kind: 'refused'; readonly answers: readonly Answer[] }
  /** The server, or something in between, broke the connection (RST). */
  | { readonly kind: 'reset'; readonly received: Buffer };

export interface RawClientOptions {
  /** The address to connect from; on Linux all of 127.0.0.0/8 belongs to this machine. */
  readonly localAddress?: string;
  /** Whether the answer has no body (to HEAD). */
  readonly bodiless?: boolean;
}

/** The client's side of a TCP connection to 127.0.0.1, byte for byte. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the server has answered with 101 or has ended the connection; rejects at a malformed answer. */
  readonly outcome: Promise<Outcome>;
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;
  readonly #chunks: Buffer[] = [];

  /** Connects. The caller ends the connection; {@link openRaw} does that by itself. */
  static connect(port: number, options: RawClientOptions = {}): Promise<RawClient> {
    const { localAddress, bodiless = false } = options;
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ...(localAddress !== undefined && { localAddress }) });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket, bodiless));
      });
    });
  }

  /** Connects and sends one request. The caller ends the connection. */
  static async send(port: number, bytes: Buffer | string, options?: RawClientOptions): Promise<RawClient> {
    const client = await RawClient.connect(port, options);
    client.send(bytes);
    return client;
  }

  private constructor(socket: Socket, bodiless: boolean) {
    this.socket = socket;
    socket.setNoDelay(true);
    this.outcome = new Promise((resolve, reject) => {
      let isOpen = false;
      socket.on('data', (chunk) => {
        this.#chunks.push(chunk);
        if (isOpen) return;
        const answer = this.#switched();
        if (answer === undefined) return;
        isOpen = true;
        resolve({ kind: 'open', answer });
      });
      socket.on('end', () => {
        if (isOpen) return; // frames are not answers
        try {
          resolve({ kind: 'refused', answers: parseAnswers(this.received, bodiless) });
        } catch (error) {
          reject(error);
        }
      });
      const reset = (): void => {
        if (!isOpen) resolve({ kind: 'reset', received: this.received });
      };
      socket.on('error', reset);
      socket.on('close', reset);
    });
    this.outcome.catch(() => {}); // a test need not await it
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
  }

  /** Everything that has arrived so far. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  send(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** Destroys the socket; no closing handshake. */
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

/** Connects; the connection is destroyed with the test, or the test file. */
export async function openRaw(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  atEnd(() => client.destroy());
  return client;
}

/** Sends bytes and returns every answer that arrives before the server closes the connection. */
export async function exchange(port: number, bytes: string | Buffer): Promise<Answer[]> {
  const client = await openRaw(port);
  client.send(bytes);
  await client.closed;
  return parseAnswers(client.received);
}
