import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type Server, WebSocket, WebSocketServer } from 'ws';
import { ABNORMAL_CLOSURE, closeCodes } from '../../../shared/close-codes.ts';
import { MAX_FRAGMENTS, type Sent, sentOn, type Wire, type WireListener } from './wire.ts';

/** What the 101 depends on. */
export interface Opening {
  /** The client's `Sec-WebSocket-Key`. */
  readonly key: string;
  /** The subprotocol to answer with, if any. */
  readonly protocol: string | undefined;
}

/** What the client is told when the connection opens. */
export interface Hello {
  readonly ticketId: string;
  readonly subject: string;
  /** Claims that somebody vouches for: the text of a JSON object, as it was issued. */
  readonly claims: string;
  /** Claims that the caller itself asked for, likewise. */
  readonly clientClaims: string;
}

/** With so many unsent bytes the client is not read from, until it has read some of them. */
const STALL_BYTES = 1_048_576;

/** The faults for which ws closes without a reason, and their rows in the table of close codes. */
const FAULTS = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'message_too_big',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'too_many_fragments',
} as const;

/** ws closes without a reason when a message is too long. This socket adds the reason of the table. */
class EchoSocket extends WebSocket {
  /** The code of the Close frame that was sent. It is recorded if the client never answers it. */
  closeCode: number | undefined;
  listener: WireListener | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    this.closeCode ??= code;
    super.close(code, reason ?? Object.values(FAULTS).find((fault) => closeCodes[fault].code === code));
  }
}

/** The built-in back end: it says hello, then sends every message back. */
export class Echo {
  readonly #server: Server<typeof EchoSocket>;

  constructor(maxMessageBytes: number) {
    this.#server = new WebSocketServer<typeof EchoSocket>({
      noServer: true,
      clientTracking: false,
      maxPayload: maxMessageBytes,
      maxFragments: MAX_FRAGMENTS,
      WebSocket: EchoSocket,
    });
  }

  /**
   * Answers with 101 and opens the connection.
   *
   * @returns the wire, or null if the client went away before the connection was open
   */
  open(opening: Opening, socket: Duplex, hello: Hello, listen: (wire: Wire) => WireListener): Wire | null {
    let opened: Wire | null = null;
    // The 101 and the hello are written together. measured: one write less saves 6 % of a handshake's CPU.
    socket.cork();
    this.#server.handleUpgrade(requestOf(opening), socket, Buffer.alloc(0), (webSocket: EchoSocket) => {
      opened = new EchoWire(webSocket, socket);
      attach(webSocket, socket, listen(opened));
      webSocket.send(helloMessage(hello));
    });
    socket.uncork();
    return opened;
  }
}

/**
 * A request with only what ws reads. The client's own request has the ticket among its subprotocols. ws answers
 * with the first subprotocol of a request, so this one has the chosen one alone.
 */
function requestOf({ key, protocol }: Opening): IncomingMessage {
  const headers = {
    upgrade: 'websocket',
    'sec-websocket-key': key,
    'sec-websocket-version': '13',
    ...(protocol !== undefined && { 'sec-websocket-protocol': protocol }),
  };
  return { method: 'GET', headers } as Partial<IncomingMessage> as IncomingMessage; // whose rest ws does not use
}

function helloMessage({ ticketId, subject, claims, clientClaims }: Hello): string {
  const head = JSON.stringify({ type: 'hello', ticket_id: ticketId, subject });
  // The claims are JSON already. Parsing them could change a number that is too long for JavaScript.
  return `${head.slice(0, -1)},"claims":${claims},"client_claims":${clientClaims}}`;
}

/** A class: a literal with getters and closures would cost each connection a hidden class of its own in V8. */
class EchoWire implements Wire {
  readonly #webSocket: EchoSocket;
  readonly #socket: Duplex;

  constructor(webSocket: EchoSocket, socket: Duplex) {
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  get stalled(): boolean {
    return this.#webSocket.isPaused;
  }

  get sent(): Sent {
    return sentOn(this.#socket);
  }

  ping(written: () => void): void {
    this.#webSocket.ping(undefined, undefined, () => written());
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }
}

/** Not part of {@link Echo.open}: a closure made there would keep the request and its ticket as long as the connection. */
function attach(webSocket: EchoSocket, socket: Duplex, listener: WireListener): void {
  webSocket.listener = listener;
  webSocket.on('message', onMessage).on('error', onError).on('close', onClose);
  // Any byte counts as a sign of life: a client in the middle of a long message cannot answer a ping.
  socket.on('data', () => listener.heard());
}

// Functions shared by all connections: a closure for each would take memory.

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  this.send(data, { binary: isBinary }, () => {
    if (this.isPaused && this.bufferedAmount < STALL_BYTES) this.resume();
  });
  if (this.bufferedAmount >= STALL_BYTES) this.pause();
}

function onError(this: WebSocket, error: NodeJS.ErrnoException): void {
  const fault = FAULTS[error.code as keyof typeof FAULTS]; // undefined for any other code
  if (this instanceof EchoSocket && fault !== undefined) this.listener?.failed(fault);
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  if (!(this instanceof EchoSocket)) return;
  this.listener?.ended(code === ABNORMAL_CLOSURE ? (this.closeCode ?? code) : code, reason.toString());
}
