import { ConnectRefused } from '../errors/connect-refused.ts';
import {
  type ConnectOptions,
  DEFAULT_TIMEOUT_MS,
  type IssuedTicket,
  provided,
  type TicketRequest,
} from '../options.ts';
import { unlessAborted } from '../waiting/unless-aborted.ts';
import { readRecord, readTicket } from './answer.ts';
import type { TicketRecord } from './ticket-record.ts';

/** What is asked of the ticket service. Each rejects with a {@link ConnectRefused}, or with the signal's reason. */
export interface TicketService {
  issue(request: TicketRequest): Promise<IssuedTicket>;
  /** What became of a ticket. */
  record(ticketId: string): Promise<TicketRecord>;
  /** Lets an open connection live on for as long as the credentials do. */
  renew(ticketId: string): Promise<TicketRecord>;
}

/** @param onGranted called after each request that succeeded: its credentials were good */
export function createTicketService(
  options: ConnectOptions<unknown>,
  signal: AbortSignal,
  onGranted: () => void,
): TicketService {
  const { tickets = '/tickets', timeoutMs = DEFAULT_TIMEOUT_MS, credentials = 'same-origin' } = options;
  const { records = typeof tickets === 'function' ? '/tickets' : tickets } = options;

  /** The address of a ticket's record, or of what is below it. That of all tickets may end with slashes and have a query. */
  function addressOf(path: string): string {
    return `${records}`.replace(/\/*(?=[?#]|$)/, `/${path}`);
  }

  async function send(method: string, address: string | URL, limit: AbortSignal, body?: object): Promise<Response> {
    const headers = new Headers(await provided(options.headers, limit));
    if (body) headers.set('Content-Type', 'application/json');
    // A redirect is never followed: fetch() would send the headers and the body to wherever it leads.
    return fetch(address, {
      method,
      headers,
      credentials,
      redirect: 'error',
      signal: limit,
      body: JSON.stringify(body),
    });
  }

  /** Asks and reads the answer within the time-out, which covers what the application's own functions do as well. */
  async function within<Result>(ask: (limit: AbortSignal) => Promise<Result>): Promise<Result> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const result = await unlessAborted(limit, ask(limit));
      onGranted();
      return result;
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof ConnectRefused) throw cause;
      throw new ConnectRefused('service_unreachable', { cause });
    }
  }

  return {
    issue: (request) =>
      within(async (limit) => {
        if (typeof tickets === 'function') return readTicket(await tickets(request));
        return readTicket(await send('POST', tickets, limit, request));
      }),
    record: (ticketId) => within(async (limit) => readRecord(await send('GET', addressOf(ticketId), limit))),
    renew: (ticketId) =>
      within(async (limit) => readRecord(await send('POST', addressOf(`${ticketId}/renew`), limit, {}))),
  };
}
