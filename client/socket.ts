import { Connector, type ConnectorState, type StateReason } from './connector.ts';
import { ConnectionEnded } from './ended.ts';
import { closeEvent, defineHandlers, errorEvent, StateChange } from './events.ts';
import type { ConnectOptions } from './options.ts';
import { bytesOf, Outbox, type Sendable } from './outbox.ts';
import { keepRenewed } from './renewal.ts';

export interface OncegateSocketOptions extends ConnectOptions {
  /** Seconds before the end of the session at which it is renewed over HTTP. Default: it is not renewed. */
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

/** The longest reason of a Close frame (RFC 6455 §5.5). */
const MAX_REASON_BYTES = 123;

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
  readonly #outbox: Outbox;
  #socket: WebSocket | undefined;
  #readyState = CONNECTING;
  #state: SocketState = 'issuing';
  #binaryType: BinaryType = 'blob';
  #discarded = 0;
  #ticketId: string | undefined;

  constructor(options: OncegateSocketOptions = {}) {
    super();
    this.#options = options;
    this.#outbox = new Outbox(options.bufferBytes ?? 0);
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
  get readyState(): number {
    return this.#readyState;
  }
  get bufferedAmount(): number {
    return (this.#socket?.bufferedAmount ?? 0) + this.#outbox.bytes + this.#discarded;
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
    if (this.#readyState === OPEN) this.#socket?.send(data);
    else if (this.#readyState === CONNECTING) this.#outbox.put(data);
    else this.#discarded += bytesOf(data);
  }

  /**
   * Closes it for good.
   *
   * @param code 1000, or 3000 to 4999
   * @param reason at most 123 bytes in UTF-8
   */
  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`${code} is not 1000, or 3000 to 4999`, 'InvalidAccessError');
    }
    if (reason !== undefined && bytesOf(`${reason}`) > MAX_REASON_BYTES) {
      throw new DOMException(`The reason is longer than ${MAX_REASON_BYTES} bytes`, 'SyntaxError');
    }
    if (this.#readyState >= CLOSING) return;
    const open = this.#readyState === OPEN;
    this.#readyState = CLOSING;
    this.#enter('closing');
    if (open) this.#socket?.close(code, reason);
    else this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { attempts = Number.POSITIVE_INFINITY, shouldReconnect = ({ retry }) => retry !== 'never' } = this.#options;
    const connector = new Connector<WebSocket>(this.#options, signal, (state, why) => this.#enter(state, why));
    try {
      if (this.#options.signal?.aborted) this.close();
      for (;;) {
        const { socket, ticketId } = await connector.open(attempts);
        const event = await this.#use(socket, ticketId, connector);
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
  async #use(socket: WebSocket, ticketId: string, connector: Connector<WebSocket>): Promise<CloseEvent> {
    const over = new AbortController();
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
    socket.binaryType = this.#binaryType;
    socket.addEventListener('message', ({ data, origin }) => {
      this.dispatchEvent(new MessageEvent('message', { data, origin: origin ?? '' }));
    });
    this.#socket = socket;
    this.#readyState = OPEN;
    this.#outbox.empty(socket);
    this.#enter('open');
    this.dispatchEvent(new Event('open'));
    const { renewBefore } = this.#options;
    if (renewBefore !== undefined)
      keepRenewed(connector, ticketId, renewBefore, Date.now(), over.signal).catch(() => {});
    return closed.finally(() => over.abort());
  }

  #end(event: Pick<CloseEvent, 'code' | 'reason' | 'wasClean'>, reason: unknown): void {
    const { code, wasClean } = event;
    this.#stop.abort();
    this.#readyState = CLOSED;
    this.#enter('closed', { reason });
    if (!wasClean) this.dispatchEvent(errorEvent(reason));
    this.dispatchEvent(closeEvent({ code, reason: event.reason, wasClean }));
  }

  #enter(state: SocketState, why: StateReason = {}): void {
    this.#state = state;
    this.#ticketId = why.ticketId ?? this.#ticketId;
    this.dispatchEvent(new StateChange(state, why));
  }
}

// As Web IDL has constants: on the class and on its prototype, enumerable and read-only.
for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
  for (const target of [OncegateSocket, OncegateSocket.prototype]) {
    Object.defineProperty(target, name, { value, enumerable: true });
  }
}
defineHandlers(OncegateSocket.prototype, ['open', 'message', 'error', 'close', 'statechange']);
