import { type ConnectCode, ConnectRefused } from '../errors/connect-refused.ts';
import { type ConnectOptions, type IssuedTicket, provided, TIMEOUT_MS } from '../options.ts';
import { explain } from '../tickets/explain.ts';
import type { Ask, TicketRecord } from '../tickets/ticket-service.ts';
import { unlessAborted } from '../waiting/unless-aborted.ts';

/** What the client uses of a WebSocket. `pause` and `resume` are those of ws. */
type Wire = Pick<WebSocket, 'close' | 'readyState'> & {
  addEventListener(type: string, listener: (event: never) => void): void;
  pause?(): void;
  resume?(): void;
};

/** One attempt: a fresh ticket, one socket, and where that fails, the reason. Rejects with {@link ConnectRefused}. */
export async function attempt<Socket>(
  options: ConnectOptions<Socket>,
  ask: Ask,
  signal: AbortSignal,
  onState: (state: 'connecting', why: { readonly ticketId: string }) => void,
): Promise<Socket> {
  // Without a class of another kind, Socket is WebSocket.
  const { WebSocket: Class = globalThis.WebSocket as never, timeoutMs = TIMEOUT_MS } = options;
  const target = await provided(options.path, signal);
  const path = target?.split('?', 1)[0];
  // It would be a second ticket.
  if (new URLSearchParams(target?.replace(/^[^?]*\??/, '')).has('ticket'))
    throw new TypeError('path: no `ticket` in its query');
  const { id, url, protocols } = await ask<IssuedTicket>('', {
    audience: await provided(options.audience, signal),
    path,
    claims: await provided(options.claims, signal),
  });
  onState('connecting', { ticketId: id });

  // A path of its own for each attempt: Firefox delays attempts by host, port and path after failures.
  const address = `${url}/~${id}${target ?? '/'}`;
  const offered = [options.protocols ?? [], protocols].flat();
  if (!Class) throw new TypeError('Pass a WebSocket class');
  let wire: Socket & Wire;
  try {
    wire = new Class(address, offered) as Socket & Wire; // whatever else it can
  } catch (cause) {
    // `ws:` from a page of `https:`, or an address with a `#`: no attempt will do better.
    throw new ConnectRefused('not_seen', { retry: 'never', ticketId: id, message: `${cause}`, cause });
  }
  if (await opens(wire, timeoutMs, signal)) return wire;
  throw await reason(ask, id, typeof options.tickets !== 'function');
}

/** Whether it comes to be open, which is all that a browser tells. */
async function opens(wire: Wire, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  let opened = false;
  const decided = new Promise<void>((resolve) => {
    wire.addEventListener('open', () => {
      // ws may read a first message before those who wait for this promise have had their turn.
      wire.pause?.();
      setTimeout(() => wire.resume?.());
      opened = true;
      resolve();
    });
    // They stay: ws throws an error that nobody listens to. Where a page's policy (`connect-src`) forbids the
    // address, Chromium fires an error and no close.
    wire.addEventListener('error', resolve);
    wire.addEventListener('close', resolve);
  });
  const timer = setTimeout(() => wire.close(), timeoutMs);
  await unlessAborted(signal, decided).finally(() => {
    clearTimeout(timer);
    if (!opened || signal.aborted) wire.close();
  });
  return opened;
}

/**
 * Asks once what became of the ticket.
 *
 * @param own whether who asks is sure to be who the ticket was issued to
 */
function reason(ask: Ask, ticketId: string, own: boolean): Promise<ConnectRefused> {
  return ask<TicketRecord>(`/${ticketId}`).then(explain, (cause) => {
    if (!(cause instanceof ConnectRefused)) throw cause;
    const { code: answered, retryAfter } = cause;
    const [code, status]: [ConnectCode, number?] =
      answered === 'store_unavailable'
        ? [answered, 503]
        : answered === 'not_found' && own // the store has lost it, so a gateway knew as little of it
          ? ['ticket_unknown', 401]
          : ['unexplained'];
    return new ConnectRefused(code, { status, retryAfter, ticketId, cause });
  });
}
