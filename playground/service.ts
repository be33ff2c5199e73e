import { type ConnectOptions, ConnectRefused, type IssuedTicket } from '../client/index.ts';
import type { TicketRecord } from './record.ts';

/** What the page is told of the services. */
export interface Facts {
  readonly gateway_url: string;
  readonly ttl_seconds: number;
  readonly demo_user: string | null;
  readonly existing_login: boolean;
  readonly simulations: readonly string[];
}

/** What `POST /tickets` answers, as far as the page needs it. */
export interface Issued extends IssuedTicket {
  readonly expires_in: number;
  readonly expires_at: string;
}

/** The credentials of a request. */
export type Login = Pick<ConnectOptions, 'credentials'> & { readonly headers: Readonly<Record<string, string>> };

/** No credentials. `omit`, for otherwise the browser answers a 401 with a dialog for Basic credentials. */
const NO_LOGIN: Login = { headers: {}, credentials: 'omit' };

/** The login that the browser has already: the cookies of this host. */
export const EXISTING_LOGIN: Login = { headers: {}, credentials: 'same-origin' };

/** The credentials of an `Authorization` header, and no others. */
export function loginBy(authorization: string): Login {
  return { ...NO_LOGIN, headers: { Authorization: authorization } };
}

/** Asks the ticket service, with the credentials that were typed into the page. */
export class Service {
  #login = NO_LOGIN;

  /** Signs in if the service accepts the credentials, else rejects with its refusal. */
  async signIn(login: Login): Promise<void> {
    await this.#ask('GET', '/tickets', undefined, login);
    this.#login = login;
  }

  signOut(): void {
    this.#login = NO_LOGIN;
  }

  /** The credentials, as options of the client library. */
  get login(): Login {
    return this.#login;
  }

  get isSignedIn(): boolean {
    return this.#login !== NO_LOGIN;
  }

  async list(): Promise<void> {
    await this.#ask('GET', '/tickets');
  }

  /** Needs no login at the service. A proxy in front may want the browser's cookies, as it did for the page. */
  facts(): Promise<Facts> {
    return this.#ask('GET', '/playground/facts', undefined, EXISTING_LOGIN);
  }

  issue(request: object = {}, login = this.#login): Promise<Issued> {
    return this.#ask('POST', '/tickets', request, login);
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

  async #ask<Answer>(method: string, path: string, body?: object, login = this.#login): Promise<Answer> {
    // The header shows that no other site has sent the request: with a cookie, the service demands that.
    const headers = new Headers({ ...login.headers, 'X-Oncegate': 'playground' });
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    const response = await fetch(path, {
      ...login,
      method,
      headers,
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
