import { type ConnectOptions, type IssuedTicket, provided, type TicketWish } from './options.ts';
import { type ConnectCode, ConnectRefused } from './refused.ts';

/** What the client needs of `GET /tickets/<id>`. */
export interface TicketRecord {
  readonly id: string;
  readonly state: 'issued' | 'open' | 'closed' | 'refused' | 'expired' | 'revoked';
  readonly opened_at: string | null;
  readonly session_expires_at: string | null;
  readonly close: { readonly code: number; readonly reason: string } | null;
  readonly last_attempt: { readonly outcome: string; readonly status: number } | null;
}

const TICKETS = '/tickets';
const TIMEOUT_MS = 10_000;

export function timeoutOf({ timeoutMs = TIMEOUT_MS }: Pick<ConnectOptions, 'timeoutMs'>): number {
  return timeoutMs;
}

/** The ticket service, as far as a client asks it. Every failure is a {@link ConnectRefused}, or the signal's reason. */
export class TicketService {
  readonly #options: ConnectOptions<unknown>;
  readonly #signal: AbortSignal;
  readonly #records: string | URL;

  constructor(options: ConnectOptions<unknown>, signal: AbortSignal) {
    const { tickets, records = typeof tickets === 'function' ? undefined : tickets } = options;
    this.#options = options;
    this.#signal = signal;
    this.#records = records ?? TICKETS;
  }

  /** `POST /tickets` */
  async issue(wish: TicketWish): Promise<IssuedTicket> {
    const { tickets = TICKETS } = this.#options;
    if (typeof tickets !== 'function') return this.#ask('POST', tickets, wish);
    const made = await tickets(wish);
    return made instanceof Response ? read(made) : made;
  }

  /** `GET /tickets/<id>` */
  read(id: string): Promise<TicketRecord> {
    return this.#ask('GET', `${this.#records}/${id}`);
  }

  /** `POST /tickets/<id>/renew` */
  renew(id: string): Promise<{ readonly session_expires_at: string }> {
    return this.#ask('POST', `${this.#records}/${id}/renew`, {});
  }

  async #ask<Answer>(method: string, address: string | URL, body?: object): Promise<Answer> {
    const { credentials = 'same-origin' } = this.#options;
    const headers = new Headers(await provided(this.#options.headers));
    if (body) headers.set('Content-Type', 'application/json');
    let response: Response;
    try {
      response = await fetch(address, {
        method,
        headers,
        credentials,
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(timeoutOf(this.#options))]),
        ...(body && { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      this.#signal.throwIfAborted();
      throw new ConnectRefused('service_unreachable', { cause });
    }
    return read(response);
  }
}

/** The JSON of an answer, or the refusal that it is (RFC 9457). */
async function read<Answer>(response: Response): Promise<Answer> {
  const { ok, status, headers } = response;
  // What is not JSON is not the service's: some proxy's page, an application's own 404.
  const body = await response.json().catch(() => undefined);
  if (ok && body) return body;
  const code: ConnectCode = body?.code ?? (status === 401 ? 'credentials_missing' : 'answer_unreadable');
  const retryAfter = body?.retry_after ?? (Number(headers.get('Retry-After')) || undefined);
  throw new ConnectRefused(code, {
    message: body?.detail,
    status,
    retry: body?.retry ?? (status === 429 || status > 499 ? 'backoff' : undefined),
    retryAfter,
    ticketId: body?.ticket_id,
  });
}
