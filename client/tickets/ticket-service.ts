import { ConnectRefused } from '../errors/connect-refused.ts';
import {
  type ConnectOptions,
  DEFAULT_TIMEOUT_MS,
  type IssuedTicket,
  provided,
  type ResponseLike,
  type TicketRequest,
} from '../options.ts';
import { createException } from '../waiting/exception.ts';
import { sleep } from '../waiting/sleep.ts';
import { unlessAborted } from '../waiting/unless-aborted.ts';
import { readRecord, readTicket, requestLine } from './answer.ts';
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

  async function send(method: string, address: string | URL, limit: AbortSignal, body?: string): Promise<ResponseLike> {
    const headers = new Headers(await provided(options.headers, limit));
    if (body) headers.set('Content-Type', 'application/json');
    // A redirect is never followed: fetch() would send the headers and the body to wherever it leads.
    return fetch(absolute(address), {
      method,
      headers,
      credentials,
      redirect: 'error',
      signal: limit,
      body: body ?? null,
    });
  }

  /** Asks and reads the answer within the time-out, which covers what the application's own functions do as well. */
  async function ask<Result>(
    method: string,
    where: NonNullable<ConnectOptions['tickets']>,
    read: (answer: ResponseLike, line: string) => Promise<Result>,
    request?: TicketRequest,
  ): Promise<Result> {
    const body = JSON.stringify(request);
    const line = typeof where === 'function' ? 'tickets()' : requestLine(method, where);
    const limit = new AbortController(); // Safari before 17.4 has no AbortSignal.any()
    const answer = async () => {
      const answered = typeof where === 'function' ? where(request ?? {}) : send(method, where, limit.signal, body);
      return read((await answered) as ResponseLike, line); // an own function may return anything: it is read as such
    };
    const timeOut = async () => {
      await sleep(timeoutMs, limit.signal);
      throw createException(`no answer in ${timeoutMs} ms`, 'TimeoutError');
    };
    try {
      const result = await unlessAborted(signal, Promise.race([answer(), timeOut()]));
      onGranted();
      return result;
    } catch (cause) {
      await unlessAborted(signal);
      if (cause instanceof ConnectRefused) throw cause;
      throw new ConnectRefused('service_unreachable', { cause, seen: line });
    } finally {
      limit.abort();
    }
  }

  /**
   * Finds options that no request can be made with. fetch() would throw a TypeError for them too, but it throws one as
   * well if the network is down, and that is worth another attempt.
   */
  function checkOptions(): void {
    const headers = typeof options.headers === 'function' ? undefined : options.headers;
    for (const address of [tickets, options.records]) {
      if (address === undefined || typeof address === 'function') continue;
      const url = absolute(address);
      // Under jsdom there may be a fetch() without a Request.
      if (globalThis.Request) new Request(url, { credentials, headers: headers ?? {} });
    }
  }

  return {
    async issue(request) {
      checkOptions();
      return ask('POST', tickets, readTicket, request);
    },
    record: (ticketId) => ask('GET', addressOf(ticketId), readRecord),
    renew: (ticketId) => ask('POST', addressOf(`${ticketId}/renew`), readRecord, {}),
  };
}

/** An address as a page would resolve it. Without a page it stays as it is. */
function absolute(address: string | URL): string {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  return `${base ? new URL(address, base) : address}`;
}
