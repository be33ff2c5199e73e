import { Connector } from '../connect/connector.ts';
import type { StateReason } from '../connect/state.ts';
import { ConnectionEnded } from '../errors/connection-ended.ts';
import type { ConnectOptions, OncegateSocketOptions } from '../options.ts';
import { createException } from '../waiting/exception.ts';
import { PlainTarget } from './event-target.ts';
import {
  type Closing,
  createCloseEvent,
  createEvent,
  createMessageEvent,
  type OncegateSocketEvents,
  type SocketState,
} from './events.ts';
import { byteLengthOf, copyOf, type Sendable } from './message.ts';
import { keepRenewed } from './renewal.ts';
import { untilLost } from './watch.ts';
import { CLOSED, CLOSING, CONNECTING, defineConstants, nearestInteger, OPEN } from './web-idl.ts';

type EventType = keyof OncegateSocketEvents;

type Handler<Type extends EventType> = ((event: OncegateSocketEvents[Type]) => unknown) | null;

type Listener<Type extends EventType> =
  | ((this: OncegateSocket, event: OncegateSocketEvents[Type]) => unknown)
  | EventListenerObject
  | null;

type ReadyState = typeof CONNECTING | typeof OPEN | typeof CLOSING | typeof CLOSED;

const EventTargetClass = (globalThis.Event && globalThis.EventTarget) ?? (PlainTarget as unknown as typeof EventTarget); // its methods are called alike

/** The longest reason of a Close frame, in bytes of UTF-8 (RFC 6455 §5.5). */
const MAX_REASON_BYTES = 123;

/**
 * A WebSocket that comes back: the events, properties and constants of the standard, over one connection after
 * another, each with a ticket of its own. While it is down and on its way back, `readyState` is CONNECTING. `error`
 * and `close` are fired once, when it has ended for good.
 */
export class OncegateSocket extends EventTargetClass implements WebSocket {
  // Defined in the static block below, as Web IDL has them.
  declare static readonly CONNECTING: typeof CONNECTING;
  declare static readonly OPEN: typeof OPEN;
  declare static readonly CLOSING: typeof CLOSING;
  declare static readonly CLOSED: typeof CLOSED;
  declare readonly CONNECTING: typeof CONNECTING;
  declare readonly OPEN: typeof OPEN;
  declare readonly CLOSING: typeof CLOSING;
  declare readonly CLOSED: typeof CLOSED;
  declare onopen: Handler<'open'>;
  declare onmessage: Handler<'message'>;
  declare onerror: Handler<'error'>;
  declare onclose: Handler<'close'>;
  declare onstatechange: Handler<'statechange'>;

  declare addEventListener: (<Type extends EventType>(
    type: Type,
    listener: Listener<Type>,
    options?: boolean | AddEventListenerOptions,
  ) => void) &
    WebSocket['addEventListener'];
  declare removeEventListener: (<Type extends EventType>(
    type: Type,
    listener: Listener<Type>,
    options?: boolean | EventListenerOptions,
  ) => void) &
    WebSocket['removeEventListener'];

  readonly #options: OncegateSocketOptions;
  /** Aborted when no further connection is wanted: by `close()`, or because it has ended for good. */
  readonly #stop = new AbortController();
  /** The latest connection. */
  #socket: WebSocket | undefined;
  #readyState: ReadyState = CONNECTING;
  #state: SocketState = 'issuing';
  #ticketId: string | undefined;
  #binaryType: BinaryType = 'blob';
  /** Messages that are sent with the next connection. */
  #waiting: Sendable[] = [];
  /** Bytes of messages that no connection was given: those that wait, and those that came after `close()`. */
  #unsentBytes = 0;
  /** The event handlers, such as `onopen`, by the type of their events. */
  readonly #handlers: Record<string, unknown> = {};

  constructor(options: OncegateSocketOptions = {}) {
    super();
    this.#options = options;
    options.signal?.addEventListener('abort', () => this.close(), { signal: this.#stop.signal });
    // First the caller adds its listeners.
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
  get readyState(): ReadyState {
    return this.#readyState;
  }
  get bufferedAmount(): number {
    return (this.#socket?.bufferedAmount ?? 0) + this.#unsentBytes;
  }
  get binaryType(): BinaryType {
    return this.#binaryType;
  }
  set binaryType(type: BinaryType) {
    // The standard ignores any other value.
    if (type !== 'blob' && type !== 'arraybuffer') return;
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
   * Sends a message. While the connection is down, keeps it until the next `open` if `bufferBytes` leaves room.
   *
   * @throws {DOMException} `InvalidStateError` if the connection is down and there is no room
   */
  send(data: Sendable): void {
    if (this.#readyState === OPEN) {
      this.#socket?.send(data);
      return;
    }
    const unsentBytes = this.#unsentBytes + byteLengthOf(data);
    if (this.#readyState === CONNECTING) {
      const { bufferBytes = 0 } = this.#options;
      // Without a buffer not even an empty message waits.
      if (!bufferBytes || unsentBytes > bufferBytes) {
        throw createException('not open; see bufferBytes', 'InvalidStateError');
      }
      this.#waiting.push(copyOf(data));
    }
    this.#unsentBytes = unsentBytes;
  }

  /**
   * Closes it for good.
   *
   * @param code 1000, or 3000 to 4999. Default: a Close frame without a code, or 1000 if there is a reason
   * @param reason at most 123 bytes in UTF-8. Default: none
   * @throws {DOMException} `InvalidAccessError` for any other code, `SyntaxError` for a longer reason
   */
  close(code?: number, reason = ''): void {
    const closeCode = code === undefined ? 1000 : nearestInteger(+code);
    const text = `${reason}`;
    if (closeCode !== 1000 && !(closeCode >= 3000 && closeCode <= 4999)) {
      throw createException('code: 1000, or 3000 to 4999', 'InvalidAccessError');
    }
    if (byteLengthOf(text) > MAX_REASON_BYTES) throw createException('reason: over 123 bytes', 'SyntaxError');

    if (this.#readyState >= CLOSING) return;
    if (this.#readyState === CONNECTING) this.#stop.abort(this.#options.signal?.reason);
    // For Chromium even an empty reason means that there is a code.
    else if (code === undefined && text === '') this.#socket?.close();
    else this.#socket?.close(closeCode, text);
    this.#readyState = CLOSING;
    this.#enter('closing');
  }

  /** Opens one connection after another, until one is not to be followed by another. */
  async #run(): Promise<void> {
    const options = this.#options as OncegateSocketOptions & ConnectOptions; // what its class makes is used as a WebSocket
    const { attempts = Infinity, shouldReconnect = ({ retry }) => retry !== 'never' } = options;
    const connector = new Connector(options, this.#stop.signal, (state, why) => {
      // The state stays `open` while a renewal has the user sign in, and `closing` while something is still pending.
      if (this.#readyState === CONNECTING) this.#enter(state, why);
    });
    try {
      if (options.signal?.aborted) this.close();
      for (;;) {
        const socket = await connector.open(attempts);
        const event = await this.#use(socket, connector);
        const ended = new ConnectionEnded(event.code, event.reason);
        if (this.#readyState === CLOSING || !shouldReconnect(ended)) {
          this.#end(event, ended);
          return;
        }
        this.#readyState = CONNECTING;
        await connector.recover(ended);
      }
    } catch (error) {
      this.#end({ code: 1006, reason: '', wasClean: false }, error);
    }
  }

  /** Passes messages on from an open connection. Resolves when that is closed, or is known to be lost. */
  async #use(socket: WebSocket, connector: Connector<WebSocket>): Promise<Closing> {
    const closed = new Promise<Closing>((resolve) => socket.addEventListener('close', resolve));
    socket.addEventListener('message', (event) => {
      // A lost connection may come alive again, beside the one that took its place.
      if (this.#readyState === OPEN && this.#socket === socket) this.dispatchEvent(createMessageEvent(event));
    });
    socket.binaryType = this.#binaryType;
    this.#socket = socket;
    // `close()` was called at the moment at which the connection opened.
    if (this.#readyState === CLOSING) {
      socket.close();
      return closed;
    }

    this.#readyState = OPEN;
    for (const message of this.#waiting.splice(0)) socket.send(message);
    this.#unsentBytes = 0;
    this.#enter('open');
    // A listener may have closed it.
    if (this.#readyState === OPEN) this.dispatchEvent(createEvent('open'));
    const over = new AbortController();
    const { renewBefore, heartbeatSeconds = 30 } = this.#options;
    const ways = [closed];
    if (this.#ticketId) {
      // It fails if the connection ends meanwhile. If it fails otherwise, the gateway ends the session.
      if (renewBefore) keepRenewed(connector, this.#ticketId, renewBefore, over.signal).catch(() => {});
      if (heartbeatSeconds) {
        ways.push(untilLost(connector.service, this.#ticketId, socket, heartbeatSeconds * 1000, over.signal));
      }
    }
    try {
      return await Promise.race(ways);
    } finally {
      over.abort();
      socket.close();
    }
  }

  #end(closing: Closing, reason: unknown): void {
    this.#stop.abort();
    this.#readyState = CLOSED;
    this.#enter('closed', { reason });
    if (!closing.wasClean) this.dispatchEvent(createEvent('error', { error: reason }));
    this.dispatchEvent(createCloseEvent(closing));
  }

  #enter(state: SocketState, why?: StateReason): void {
    this.#state = state;
    if (why?.ticketId) this.#ticketId = why.ticketId;
    this.dispatchEvent(createEvent('statechange', { ...why, state }));
  }

  /** Sets an event handler: to an object, or to null if it is none (HTML standard §8.1.8.1). */
  #setHandler(type: string, handler: unknown): void {
    const isObject = Object(handler) === handler;
    this.#handlers[type] = isObject ? handler : null;
    if (isObject) this.addEventListener(type, this.#callHandler);
    else this.removeEventListener(type, this.#callHandler);
  }

  #callHandler(event: Event): void {
    const handler = this.#handlers[event.type];
    if (typeof handler === 'function') handler.call(this, event);
  }

  static {
    defineConstants(OncegateSocket);
    for (const type of ['open', 'message', 'error', 'close', 'statechange']) {
      Object.defineProperty(OncegateSocket.prototype, `on${type}`, {
        enumerable: true,
        configurable: true,
        get(this: OncegateSocket) {
          return this.#handlers[type] ?? null;
        },
        set(this: OncegateSocket, handler: unknown) {
          this.#setHandler(type, handler);
        },
      });
    }
  }
}
