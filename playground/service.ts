import { ConnectRefused, type IssuedTicket } from '../client/index.ts';
import type { TicketRecord } from './record.ts';

/** What a page is told of the services. */
export interface Facts {
  readonly gateway_url: string;
  readonly ttl_seconds: number;
  readonly demo_user: string | null;
  readonly simulations: readonly string[];
}

/** What `POST /tickets` answers, as far as the page needs it. */
export interface Issued extends IssuedTicket {
  readonly expires_in: number;
  readonly expires_at: string;
}

/** The ticket service, with the credentials that were typed into the page. They are kept nowhere else. */
export class Service {
  #authorization: string | undefined;
  name: string | undefined;

  /** Signs in where the service takes the credentials; rejects with its refusal else. */
  async signIn(name: string | undefined, authorization: string): Promise<void> {
    await this.#ask('GET', '/tickets', undefined, authorization);
    this.name = name;
    this.#authorization = authorization;
  }

  signOut(): void {
    this.name = undefined;
    this.#authorization = undefined;
  }

  get signedIn(): boolean {
    return this.#authorization !== undefined;
  }

  headers(): Record<string, string> {
    return this.#authorization === undefined ? {} : { Authorization: this.#authorization };
  }

  async list(): Promise<void> {
    await this.#ask('GET', '/tickets');
  }

  facts(): Promise<Facts> {
    return this.#ask('GET', '/playground/facts');
  }

  issue(wish: object = {}, authorization = this.#authorization): Promise<Issued> {
    return this.#ask('POST', '/tickets', wish, authorization);
  }

  record(id: string): Promise<TicketRecord> {
    return this.#ask('GET', `/tickets/${id}`);
  }

  async revoke(id: string): Promise<void> {
    await this.#ask('DELETE', `/tickets/${id}`);
  }

  async endSessionIn(id: string, seconds: number): Promise<void> {
    await this.#ask('POST', '/playground/session', { id, seconds });
  }

  async limitConnections(connections: number): Promise<void> {
    await this.#ask('POST', '/playground/limit', { connections });
  }

  async stopStore(seconds: number): Promise<void> {
    await this.#ask('POST', '/playground/store', { seconds });
  }

  async #ask<Answer>(
    method: string,
    path: string,
    body?: object,
    authorization = this.#authorization,
  ): Promise<Answer> {
    const headers = new Headers();
    if (authorization !== undefined) headers.set('Authorization', authorization);
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    const response = await fetch(path, {
      method,
      headers,
      // Credentials are sent by hand: the browser never asks for them in a window of its own.
      credentials: 'omit',
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      throw new ConnectRefused('service_unreachable', { cause });
    });
    const { status } = response;
    const answer = status === 204 ? {} : await response.json().catch(() => undefined);
    if (response.ok && answer !== undefined) return answer;
    throw new ConnectRefused(answer?.code ?? 'answer_unreadable', {
      message: answer?.detail,
      status,
      retry: answer?.retry,
      retryAfter: answer?.retry_after,
      ticketId: answer?.ticket_id,
    });
  }
}

/** `Authorization` of HTTP Basic (RFC 7617), in UTF-8. */
export function basic(name: string, password: string): string {
  return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${name}:${password}`)))}`;
}
