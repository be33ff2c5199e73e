import type { ConnectRefused } from './errors/connect-refused.ts';
import type { Backoff } from './waiting/backoff.ts';
import { unlessAborted } from './waiting/unless-aborted.ts';

/** A value, or a function that is asked for it anew with every attempt. */
export type Provider<T> = T | (() => T | Promise<T>);

export function provided<T>(provider: Provider<T>, signal: AbortSignal): Promise<T> {
  const ask = async () => (typeof provider === 'function' ? (provider as () => T | Promise<T>)() : provider); // T is never a function here
  return unlessAborted(signal, ask());
}

/** How long the ticket service, and a socket that opens, are waited for. */
export const TIMEOUT_MS = 10_000;

/** What is asked of the ticket service: the body of `POST /tickets`. */
export interface TicketWish {
  readonly audience?: string | undefined;
  readonly path?: string | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** What the client needs of the answer to `POST /tickets`. */
export interface IssuedTicket {
  readonly id: string;
  /** Where the gateways are: `ws:` or `wss:`. */
  readonly url: string;
  /** The subprotocols that carry the ticket. */
  readonly protocols: readonly string[];
}

/** Any class that is made and used as the standard's WebSocket is; `ws` has one. */
export type WebSocketClass<Socket> = new (url: string, protocols: string[]) => Socket;

export interface ConnectOptions<Socket = WebSocket> {
  /**
   * Where to get a ticket: the address of `POST /tickets`, or a function that returns the
   * service's answer (a `Response`), or a ticket that was issued otherwise. Default: `/tickets`.
   */
  readonly tickets?: string | URL | ((wish: TicketWish) => Promise<Response | IssuedTicket>);
  /**
   * Where `GET <records>/<id>` tells what became of a ticket; a query that it has stays behind. Default: `tickets`
   * where that is an address, else `/tickets`.
   */
  readonly records?: string | URL;
  /** Headers of every request to the ticket service, for example `Authorization`; a function may fetch a fresh token. */
  readonly headers?: Provider<HeadersInit | undefined>;
  /** Credentials mode of every request to the ticket service (Fetch standard). Default: `same-origin`. */
  readonly credentials?: RequestCredentials;
  /** The audience that the ticket is for: 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly audience?: Provider<string | undefined>;
  /**
   * The path to connect to, which the ticket is bound to; it may have a query, which the ticket is not bound to
   * and in which the parameter `ticket` is the gateway's (a `TypeError`). Default: `/`.
   */
  readonly path?: Provider<string | undefined>;
  /** JSON that is stored with the ticket and handed to the back end: at most 4,096 bytes. */
  readonly claims?: Provider<Readonly<Record<string, unknown>> | undefined>;
  /** The application's own subprotocols (RFC 6455 §1.9). */
  readonly protocols?: string | readonly string[];
  /**
   * How many attempts are made, the first included; by an `OncegateSocket` each time that it is down. Default: 1 for
   * `connect`, no limit for `OncegateSocket`.
   */
  readonly attempts?: number;
  /** How long to wait between attempts. */
  readonly backoff?: Backoff;
  /**
   * How long an answer of the ticket service, and the opening of the socket, are each waited for. What the
   * application's own `tickets` and `headers` do towards an answer is part of it. Milliseconds; default 10,000.
   */
  readonly timeoutMs?: number;
  /** Ends it: `connect` rejects with the signal's reason, an `OncegateSocket` closes. */
  readonly signal?: AbortSignal;
  /**
   * The ticket service answered 401. Show the login, and return when the user is signed in: the attempt is
   * then repeated, or where it had failed already and was asked about, the next one made, if one is left. Called
   * once until a request succeeds again; a second 401 is final.
   */
  readonly onUnauthenticated?: (refused: ConnectRefused) => void | Promise<void>;
  /** The WebSocket class to use. Default: the global one; Node 20 has none, so pass that of `ws` there. */
  readonly WebSocket?: WebSocketClass<Socket>;
}
