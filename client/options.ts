import type { ConnectRefused } from './errors/connect-refused.ts';
import type { ConnectionEnded } from './errors/connection-ended.ts';
import type { Backoff } from './waiting/backoff.ts';
import { unlessAborted } from './waiting/unless-aborted.ts';

/** A value, or a function that returns it or a promise of it. The function is called anew for each attempt. */
export type Provider<T> = T | (() => T | Promise<T>);

/** Resolves with what a provider has now. Rejects with the signal's reason if that is aborted. */
export function provided<T>(provider: Provider<T>, signal: AbortSignal): Promise<T> {
  const call = async () => (typeof provider === 'function' ? (provider as () => T | Promise<T>)() : provider); // T is never a function here
  return unlessAborted(signal, call());
}

export const DEFAULT_TIMEOUT_MS = 10_000;

/** What is asked of the ticket service: the body of `POST /tickets`. */
export interface TicketRequest {
  readonly audience?: string | undefined;
  readonly path?: string | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** What the client needs of the answer to `POST /tickets`. */
export interface IssuedTicket {
  readonly id: string;
  /** Address of the gateways: `ws:` or `wss:`. */
  readonly url: string;
  /** The subprotocols that carry the ticket. */
  readonly protocols: readonly string[];
}

/** What the client uses of a `Response`: that of any `fetch` will do. */
export interface ResponseLike {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}

/** A class with the constructor and the interface of the standard's WebSocket, such as that of `ws`. */
export type WebSocketClass<Socket> = new (url: string, protocols: string[]) => Socket;

export interface ConnectOptions<Socket = WebSocket> {
  /**
   * Where to get a ticket: the address of `POST /tickets`, or a function that returns the ticket service's answer (a
   * `Response`) or a ticket. A relative address is a `TypeError` where there is no page. Default: `/tickets`.
   */
  readonly tickets?: string | URL | ((request: TicketRequest) => Promise<ResponseLike | IssuedTicket>);
  /**
   * Where `GET <records>/<id>` says what became of a ticket. Slashes at its end do not count, and a query stays behind
   * the id. Default: `tickets` if that is an address, else `/tickets`.
   */
  readonly records?: string | URL;
  /** Headers of every request to the ticket service, such as `Authorization`. A function may fetch a fresh token. */
  readonly headers?: Provider<HeadersInit | undefined>;
  /** Credentials mode of every request to the ticket service (Fetch standard). Default: `same-origin`. */
  readonly credentials?: RequestCredentials;
  /** The audience that the ticket is for: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. Default: none. */
  readonly audience?: Provider<string | undefined>;
  /**
   * The path to connect to, with or without a query. The ticket is bound to the path, not to the query. A query
   * parameter named `ticket` is a `TypeError`: it would be a second ticket. Default: `/`.
   */
  readonly path?: Provider<string | undefined>;
  /** JSON that is stored with the ticket and handed to the back end: at most 4,096 bytes. Default: none. */
  readonly claims?: Provider<Readonly<Record<string, unknown>> | undefined>;
  /** The application's own subprotocols (RFC 6455 §1.9). Default: none. */
  readonly protocols?: string | readonly string[];
  /**
   * How many attempts are made to get one connection, the first included. Default: 1 for `connect`, no limit for
   * `OncegateSocket`.
   */
  readonly attempts?: number;
  /** Bounds of the waits between attempts. */
  readonly backoff?: Backoff;
  /**
   * The longest wait for each answer of the ticket service, and for the socket to open. The time that the application's
   * own `tickets` and `headers` take is part of it. Milliseconds; default 10,000.
   */
  readonly timeoutMs?: number;
  /** Ends it: `connect` rejects with the signal's reason, an `OncegateSocket` closes. */
  readonly signal?: AbortSignal;
  /**
   * Called when the ticket service answers 401. Show the login, and return when the user is signed in: the attempt is
   * then repeated. If the 401 answered the question why an attempt failed, the next attempt is made, if one is left.
   * Called once until a request succeeds again: a second 401 in a row is final.
   */
  readonly onUnauthenticated?: (refused: ConnectRefused) => void | Promise<void>;
  /** The WebSocket class to use. Default: the global one. Node 20 has none: pass that of `ws`. */
  readonly WebSocket?: WebSocketClass<Socket>;
}

export interface OncegateSocketOptions extends ConnectOptions<unknown> {
  /**
   * How many seconds before its end the session is renewed over HTTP. A session that is no longer than that is renewed
   * at half of it. Default: it is not renewed.
   */
  readonly renewBefore?: number;
  /**
   * `HEARTBEAT_SECONDS` of the gateways. When no message came for two to three times that, the ticket's record is
   * asked whether the connection is still open. Default: 30. 0: it is never asked.
   */
  readonly heartbeatSeconds?: number;
  /** How many bytes of messages may wait while the connection is down. Default: 0, so that `send` throws then. */
  readonly bufferBytes?: number;
  /** Whether to come back after a connection ended. Default: `ended.retry !== 'never'`. */
  readonly shouldReconnect?: (ended: ConnectionEnded) => boolean;
}
