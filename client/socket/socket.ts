import { type Connector, type ConnectorState, createConnector, type StateReason } from '../connect/connector.ts';
import { ConnectionEnded } from '../errors/connection-ended.ts';
import type { ConnectOptions } from '../options.ts';
import { closeEvent, eventWith, type StateChange } from './events.ts';
import { keepRenewed } from './renewal.ts';
import { bytesOf, copyOf, type Sendable } from './sendable.ts';

export interface OncegateSocketOptions extends ConnectOptions<unknown> {
  /**
   * Seconds before the end of the session at which it is renewed over HTTP; a session that is no longer than that,
   * at half of it. Default: it is not renewed.
   */
  readonly renewBefore?: number;
  /** How many bytes of messages may wait while the connection is down. Default: 0, so that `send` throws then. */
  readonly bufferBytes?: number;
  /** Whether to come back after a connection ended. Default: `ended.retry !== 'never'`. */
  readonly shouldReconnect?: (ended: ConnectionEnded) => boolean;
}

/** What the socket is doing: see {@link StateChange}. */
export type SocketState = ConnectorState | 'open' | 'closing' | 'closed';

export interface OncegateSocketEvents {
  /** Each time that a connection is open. */
  open: Event;
  message: MessageEvent;
  /** It ended for good, and not cleanly; `error` says why. */
  error: Event & { readonly error: unknown };
  /** It ended for good. */
  close: CloseEvent;
  /** It does something else from now on, for this reason. */
  statechange: StateChange;
}

type Handler<Type extends keyof OncegateSocketEvents> =
  | ((this: OncegateSocket, event: OncegateSocketEvents[Type]) => unknown)
  | null;

type Listener<Type extends string> = (
  this: OncegateSocket,
  event: Type extends keyof OncegateSocketEvents ? OncegateSocketEvents[Type] : Event,
) => unknown;

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/**
 * A WebSocket that comes back: the standard's events, properties and constants over one connection after
 * another, each with a ticket of its own. `close` and `error` are fired once, when it has ended for good;
 * `readyState` is CONNECTING whenever it is down and on its way back.
 */
export class OncegateSocket extends EventTarget {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;
  declare onopen: Handler<'open'>;
  declare onmessage: Handler<'message'>;
  declare onerror: Handler<'error'>;
  declare onclose: Handler<'close'>;
  declare onstatechange: Handler<'statechange'>;

  declare addEventListener: <Type extends string>(
    type: Type,
    listener: Listener<Type> | EventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ) => void;

  readonly #options: OncegateSocketOptions;
  readonly #stop = new AbortController();
  #socket: WebSocket | undefined;
  #handlers: Record<string, unknown> = {};
  #readyState: 0 | 1 | 2 | 3 = CONNECTING;
  #state: SocketState = 'issuing';
  #binaryType: BinaryType = 'blob';
  #waiting: Sendable[] = [];
  /** Bytes of messages that were given to no connection. */
  #unsentBytes = 0;
  #ticketId: string | undefined;

  constructor(options: OncegateSocketOptions = {}) {
    super();
    this.#options = options;
    options.signal?.addEventListener('abort', () => this.close(), { signal: this.#stop.signal });
    // Whoever makes it has this turn to listen.
    queueMicrotask(() => this.#run());
  }

  get url(): string {
    return this.#socket?.url ?? '';
  }
  get protocol(): string {
    return this.#socket?.protocol ?? '';
  }
  get extensions(): string {
    return this.#socket?.extensions ?? '';
  }
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }
  get bufferedAmount(): number {
    return (this.#socket?.bufferedAmount ?? 0) + this.#unsentBytes;
  }
  get binaryType(): BinaryType {
    return this.#binaryType;
  }
  set binaryType(type: BinaryType) {
    if (type !== 'blob' && type !== 'arraybuffer') return; // as the standard has it
    this.#binaryType = type;
    if (this.#socket) this.#socket.binaryType = type;
  }
  /** What it is doing. */
  get state(): SocketState {
    return this.#state;
  }
  /** The id of the latest ticket, for logs; undefined before the first. */
  get ticketId(): string | undefined {
    return this.#ticketId;
  }

  /**
   * Sends a message, or keeps it until the connection is back, as far as `bufferBytes` allows.
   *
   * @throws {DOMException} `InvalidStateError` while it is down and the buffer full, or none
   */
  send(data: Sendable): void {
    if (this.#readyState === OPEN) return this.#socket?.send(data);
    const bytes = bytesOf(data);
    if (this.#readyState === CONNECTING) {
      if (this.#unsentBytes + bytes > (this.#options.bufferBytes || -1)) {
        throw new DOMException('not open; see bufferBytes', 'InvalidStateError');
      }
      this.#waiting.push(copyOf(data));
    }
    this.#unsentBytes += bytes;
  }

  /**
   * Closes it for good.
   *
   * @param code 1000, or 3000 to 4999
   * @param reason at most 123 bytes in UTF-8
   */
  close(code?: number, reason = ''): void {
    // The nearest integer, and the even one of two (Web IDL, `[Clamp]`): so are sums of this size rounded (IEEE 754).
    const number = code === undefined ? 1000 : +code + 5e15 - 5e15;
    const text = `${reason}`;
    if (number !== 1000 && !(number >= 3000 && number < 5000)) {
      throw new DOMException('code: 1000, or 3000 to 4999', 'InvalidAccessError');
    }
    // RFC 6455 §5.5
    if (bytesOf(text) > 123) throw new DOMException('reason: over 123 bytes', 'SyntaxError');
    if (this.#readyState >= CLOSING) return;
    // Without either, the Close frame is empty: to Chromium even an empty reason is a sign of a code.
    if (this.#readyState === CONNECTING) this.#stop.abort(this.#options.signal?.reason);
    else if (code === undefined && !text) this.#socket?.close();
    else this.#socket?.close(number, text);
    this.#readyState = CLOSING;
    this.#enter('closing');
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const options = this.#options as OncegateSocketOptions & ConnectOptions; // what its class makes is used as a WebSocket
    const { attempts = Infinity, shouldReconnect = ({ retry }) => retry !== 'never' } = options;
    const connector = createConnector(options, signal, (state, why) => {
      // An open one is as open as before while a renewal has the user sign in; a closing one stays that.
      if (this.#readyState === CONNECTING) this.#enter(state, why);
    });
    try {
      if (options.signal?.aborted) this.close();
      for (;;) {
        const event = await this.#use(await connector.open(attempts), connector);
        const ended = new ConnectionEnded(event.code, event.reason);
        if (this.#readyState !== OPEN || !shouldReconnect(ended)) return this.#end(event, ended);
        this.#readyState = CONNECTING;
        await connector.recover(ended);
      }
    } catch (error) {
      this.#end({ code: 1006, reason: '', wasClean: false }, error);
    }
  }

  /** Passes on what comes from an open connection, until it is closed. */
  async #use(socket: WebSocket, connector: Connector): Promise<CloseEvent> {
    const over = new AbortController();
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
    socket.binaryType = this.#binaryType;
    socket.addEventListener('message', ({ data, origin }) => {
      if (this.#readyState === OPEN) this.dispatchEvent(new MessageEvent('message', { data, origin }));
    });
    this.#socket = socket;
    if (this.#readyState === CLOSING)
      socket.close(); // it was opened at the very moment
    else {
      this.#readyState = OPEN;
      for (const message of this.#waiting.splice(0)) socket.send(message);
      this.#unsentBytes = 0;
      this.#enter('open');
      if (this.#readyState === OPEN) this.dispatchEvent(new Event('open'));
      const { renewBefore } = this.#options;
      if (renewBefore) keepRenewed(connector, this.#ticketId, renewBefore, over.signal).catch(() => {});
    }
    return closed.finally(() => over.abort());
  }

  #end(event: Pick<CloseEvent, 'code' | 'reason' | 'wasClean'>, reason: unknown): void {
    this.#stop.abort();
    this.#readyState = CLOSED;
    this.#enter('closed', { reason });
    if (!event.wasClean) this.dispatchEvent(eventWith('error', { error: reason }));
    this.dispatchEvent(closeEvent(event));
  }

  #enter(state: SocketState, why?: StateReason): void {
    this.#state = state;
    this.#ticketId = why?.ticketId ?? this.#ticketId;
    this.dispatchEvent(eventWith('statechange', { ...why, state }));
  }

  /** Calls the event handler of an event. */
  #handle(event: Event): void {
    const handler = this.#handlers[event.type];
    if (typeof handler === 'function') handler.call(this, event);
  }

  static {
    // Constants of Web IDL: on the class and on its prototype, enumerable and read-only.
    for (const [value, name] of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].entries()) {
      for (const target of [OncegateSocket, OncegateSocket.prototype])
        Object.defineProperty(target, name, { value, enumerable: true });
    }
    // Event handler attributes (HTML standard §8.1.8.1): null or an object, which is called where it can be.
    for (const type of ['open', 'message', 'error', 'close', 'statechange']) {
      Object.defineProperty(OncegateSocket.prototype, `on${type}`, {
        enumerable: true,
        configurable: true,
        get(this: OncegateSocket) {
          return this.#handlers[type] ?? null;
        },
        set(this: OncegateSocket, handler: unknown) {
          const isObject = Object(handler) === handler;
          this.#handlers[type] = isObject ? handler : null;
          this[isObject ? 'addEventListener' : 'removeEventListener'](type, this.#handle);
        },
      });
    }
  }
}
