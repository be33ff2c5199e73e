import { explain } from './explain.ts';
import { type ConnectOptions, provided } from './options.ts';
import { ConnectRefused } from './refused.ts';
import { type TicketService, timeoutOf } from './ticket-service.ts';

export interface Opened<Socket> {
  readonly socket: Socket;
  readonly ticketId: string;
}

/** What the client uses of a WebSocket. */
export type Wire = Pick<WebSocket, 'close'> & {
  addEventListener(type: string, listener: (event: never) => void): void;
};

/** One attempt: a fresh ticket, one socket, and where that fails, the reason. Rejects with {@link ConnectRefused}. */
export async function attempt<Socket>(
  options: ConnectOptions<Socket>,
  service: TicketService,
  signal: AbortSignal,
  onTicket: (id: string) => void = () => {},
): Promise<Opened<Socket>> {
  const [audience, target = '/', claims] = await Promise.all([
    provided(options.audience),
    provided(options.path),
    provided(options.claims),
  ]);
  const path = options.path === undefined ? undefined : target.split('?', 1)[0];
  const { id, url, protocols } = await service.issue({ audience, path, claims });
  signal.throwIfAborted();
  onTicket(id);

  // A path of its own for each attempt: Firefox delays attempts by host, port and path after failures.
  const address = `${url}/~${id}${target}`;
  const offered = [options.protocols ?? []].flat().concat(protocols);
  const socket = await open(options, address, offered, signal);
  if (socket !== undefined) return { socket, ticketId: id };
  throw await reason(service, id, signal);
}

/** The socket once it is open; undefined where it never opens, which is all that a browser tells. */
function open<Socket>(
  options: ConnectOptions<Socket>,
  address: string,
  protocols: string[],
  signal: AbortSignal,
): Promise<Socket | undefined> {
  const Class = options.WebSocket ?? (globalThis.WebSocket as unknown as typeof options.WebSocket); // Socket is WebSocket then
  if (!Class) throw new TypeError('There is no WebSocket here: pass a class as the option WebSocket');
  const socket = new Class(address, protocols);
  const wire = socket as Wire & { pause?(): void; resume?(): void };
  const stop = () => wire.close();
  const timer = setTimeout(stop, timeoutOf(options));
  signal.addEventListener('abort', stop);
  return new Promise<Socket | undefined>((resolve, reject) => {
    wire.addEventListener('open', () => {
      // ws may read a first message before those who wait for this promise have had their turn.
      wire.pause?.();
      setTimeout(() => wire.resume?.());
      resolve(socket);
    });
    // It stays: ws throws an error that nobody listens to.
    wire.addEventListener('error', () => {});
    wire.addEventListener('close', () => (signal.aborted ? reject(signal.reason) : resolve(undefined)));
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  });
}

/** Asks once what became of the ticket. */
async function reason(service: TicketService, ticketId: string, signal: AbortSignal): Promise<ConnectRefused> {
  try {
    return explain(await service.read(ticketId));
  } catch (cause) {
    signal.throwIfAborted();
    const code = cause instanceof ConnectRefused && cause.code === 'store_unavailable' ? cause.code : 'unexplained';
    return new ConnectRefused(code, { status: code === 'unexplained' ? undefined : 503, ticketId, cause });
  }
}
