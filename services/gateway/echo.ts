import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type Server, WebSocket, WebSocketServer } from 'ws';
import { ABNORMAL_CLOSURE, closeCodes } from '../../shared/close-codes.ts';
import { sentOn, type Wire, type WireListener } from './connection.ts';
import { chooseSubprotocol } from './subprotocols.ts';

/** What the client is told when the connection opens. */
export interface Hello {
  readonly ticketId: string;
  readonly subject: string;
  /** A JSON object, as it was issued. */
  readonly claims: string;
}

/** Unsent bytes past which the client is not read from until it has read. */
const STALL_BYTES = 1_048_576;

/** Fragments of one message; a larger number only serves to exhaust memory (CVE-2026-48779). */
const MAX_FRAGMENTS = 1_024;

const TOO_BIG = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';

/** ws closes an oversized message without a reason: this one gives the table's. */
class EchoSocket extends WebSocket {
  /** The code of our Close frame, once one was sent: a faulty client may never answer it. */
  closeCode: number | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    this.closeCode ??= code;
    super.close(code, reason ?? (code === closeCodes.message_too_big.code ? 'message_too_big' : undefined));
  }
}

/** The built-in backend: greets, then sends every message back. */
export class Echo {
  readonly #server: Server<typeof EchoSocket>;

  constructor(maxMessageBytes: number) {
    this.#server = new WebSocketServer<typeof EchoSocket>({
      noServer: true,
      clientTracking: false,
      maxPayload: maxMessageBytes,
      maxFragments: MAX_FRAGMENTS,
      WebSocket: EchoSocket,
      handleProtocols: (protocols) => chooseSubprotocol([...protocols]) ?? false,
    });
  }

  /**
   * Answers with 101 and opens the connection.
   *
   * @param request its subprotocols must no longer hold the ticket
   * @returns the wire, or null where the client went away and nothing was opened
   */
  open(request: IncomingMessage, socket: Duplex, hello: Hello, listen: (wire: Wire) => WireListener): Wire | null {
    let opened: Wire | null = null;
    // The 101 and the greeting leave together.
    socket.cork();
    this.#server.handleUpgrade(request, socket, Buffer.alloc(0), (webSocket: EchoSocket) => {
      opened = wireOf(webSocket, socket);
      const listener = listen(opened);
      attach(webSocket, listener);
      // Any byte is a sign of life: a client in the middle of a long message cannot answer a ping.
      socket.on('data', () => listener.heard());
      webSocket.send(helloMessage(hello));
    });
    socket.uncork();
    return opened;
  }
}

function helloMessage({ ticketId, subject, claims }: Hello): string {
  const head = JSON.stringify({ type: 'hello', ticket_id: ticketId, subject });
  // The claims are JSON already: parsing them here could only lose something.
  return `${head.slice(0, -1)},"claims":${claims}}`;
}

function wireOf(webSocket: WebSocket, socket: Duplex): Wire {
  return {
    ping: (written) => webSocket.ping(undefined, undefined, () => written()),
    close: (code, reason) => webSocket.close(code, reason),
    terminate: () => webSocket.terminate(),
    get stalled() {
      return webSocket.isPaused;
    },
    get sent() {
      return sentOn(socket);
    },
  };
}

function attach(webSocket: EchoSocket, listener: WireListener): void {
  webSocket.on('message', (data: RawData, isBinary: boolean) => {
    webSocket.send(data, { binary: isBinary }, () => {
      if (webSocket.isPaused && webSocket.bufferedAmount < STALL_BYTES) webSocket.resume();
    });
    if (webSocket.bufferedAmount >= STALL_BYTES) webSocket.pause();
  });
  webSocket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === TOO_BIG) listener.failed('message_too_big');
  });
  webSocket.on('close', (code, reason) => {
    listener.ended(code === ABNORMAL_CLOSURE ? (webSocket.closeCode ?? code) : code, reason.toString());
  });
}
