import { ConnectRefused } from '../errors/connect-refused.ts';
import { type ConnectOptions, DEFAULT_TIMEOUT_MS, provided, type WebSocketClass } from '../options.ts';
import { requestLine } from '../tickets/answer.ts';
import { askWhy } from '../tickets/explain.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import { unlessAborted } from '../waiting/unless-aborted.ts';
import type { StateListener } from './state.ts';

/** What the client uses of a WebSocket. Only that of `ws` has `pause` and `resume`. */
type UsedSocket = Pick<WebSocket, 'close'> & {
  addEventListener(type: string, listener: (event: never) => void): void;
  removeEventListener(type: string, listener: (event: never) => void): void;
  dispatchEvent?(event: Event): boolean;
  pause?(): void;
  resume?(): void;
};

/**
 * Makes one attempt: gets a fresh ticket, opens one socket with it and, if that fails, asks why.
 *
 * @throws {ConnectRefused} with the true reason
 * @throws {TypeError} if an option cannot be used
 * @throws the signal's reason if that is aborted
 */
export async function attempt<Socket>(
  options: ConnectOptions<Socket>,
  service: TicketService,
  signal: AbortSignal,
  onState: StateListener,
): Promise<Socket> {
  // Without a class of another type, Socket is WebSocket.
  const SocketClass = options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketClass<Socket> | undefined);
  if (typeof SocketClass !== 'function') throw new TypeError('Pass a WebSocket class');
  const target = await provided(options.path, signal);
  const [path, ...query] = target?.split('?') ?? [];
  // The gateway refuses a handshake with two tickets.
  if (new URLSearchParams(query.join('?')).has('ticket')) throw new TypeError('path: no `ticket` in its query');

  const ticket = await service.issue({
    audience: await provided(options.audience, signal),
    path,
    claims: await provided(options.claims, signal),
  });
  onState('connecting', { ticketId: ticket.id });

  // Firefox delays attempts on a host, port and path that has failed. So each attempt has a path of its own.
  const address = `${ticket.url}/~${ticket.id}${target ?? '/'}`;
  const protocols = [options.protocols ?? [], ticket.protocols].flat();
  const socket = createSocket(SocketClass, address, protocols, ticket.id);
  if (await opens(socket, options.timeoutMs ?? DEFAULT_TIMEOUT_MS, signal)) return socket;

  const isOwn = typeof options.tickets !== 'function';
  throw await askWhy(service, ticket.id, isOwn, requestLine('GET', address));
}

function createSocket<Socket>(
  SocketClass: WebSocketClass<Socket>,
  address: string,
  protocols: string[],
  ticketId: string,
): Socket & UsedSocket {
  try {
    return new SocketClass(address, protocols) as Socket & UsedSocket; // every WebSocket class has these
  } catch (cause) {
    // `ws:` on a page of `https:`, or a `#` in the address: no other attempt will do better.
    throw new ConnectRefused('not_seen', { retry: 'never', ticketId, message: `${cause}`, cause });
  }
}

/** Whether the socket opens within the time-out. A browser tells no more than that. A socket that does not is closed. */
async function opens(socket: UsedSocket, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  let opened = false;
  const settled = new Promise<void>((resolve) => {
    const release = hold(socket);
    socket.addEventListener('open', () => {
      release();
      opened = true;
      resolve();
    });
    // If the page's policy (`connect-src`) forbids the address, Chromium fires `error` and no `close`. The listener is
    // never removed: `ws` throws an error that nobody listens to.
    socket.addEventListener('error', resolve);
    socket.addEventListener('close', resolve);
  });
  const timer = setTimeout(() => socket.close(), timeoutMs);
  try {
    await unlessAborted(signal, settled);
  } finally {
    clearTimeout(timer);
    if (!opened || signal.aborted) socket.close();
  }
  return opened;
}

/** More turns of the microtask queue than it takes from `open` until the caller, who awaits a promise, can listen. */
const TURNS = 100;

/**
 * Holds back what comes before the caller can listen. `ws` may read a message together with `open`. Deno delivers one
 * two microtasks after it, and an end may follow at once. A browser runs all microtasks first.
 *
 * @returns to be called when the socket opens
 */
function hold(socket: UsedSocket): () => void {
  if (socket.pause) {
    return () => {
      socket.pause?.();
      setTimeout(() => socket.resume?.());
    };
  }
  const held: Event[] = [];
  const keep = (event: Event) => {
    event.stopImmediatePropagation();
    held.push(event);
  };
  return async () => {
    for (const type of ['message', 'close']) socket.addEventListener(type, keep);
    for (let turn = 0; turn < TURNS; turn += 1) await undefined;
    for (const type of ['message', 'close']) socket.removeEventListener(type, keep);
    // An event is dispatched once only, so each is made again, of its own class.
    for (const event of held) socket.dispatchEvent?.(new (event.constructor as typeof Event)(event.type, event));
  };
}
