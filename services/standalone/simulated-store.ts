import {
  type CloseRequest,
  type ConsumeRequest,
  type CountRequest,
  type GatewayCommand,
  type GatewayStatus,
  type IssueRequest,
  type LeaseRequest,
  type ListPage,
  type NoteRequest,
  type RefuseRequest,
  type RenewRequest,
  type RevokeRequest,
  StoreUnavailable,
  type TicketStore,
} from '../../shared/store/store.ts';
import type { Simulations } from '../ticket/pages/playground.ts';

/** A limit ends by itself after this time, ms. */
const LIMIT_MS = 60_000;

interface Limit {
  readonly connections: number;
  /** Unix ms. */
  readonly until: number;
}

/**
 * A store that can be made to fail for one subject, so that the playground can show how that looks. It affects
 * only the tickets of that subject. All other requests go unchanged to the store behind it.
 */
export class SimulatedStore implements TicketStore, Simulations {
  readonly #inner: TicketStore;
  readonly #now: () => number;
  /** By subject: until when every operation fails, Unix ms. */
  readonly #stopped = new Map<string, number>();
  readonly #limits = new Map<string, Limit>();

  /** @param now the clock, Unix ms; the machine's unless a test says otherwise */
  constructor(inner: TicketStore, now: () => number = Date.now) {
    this.#inner = inner;
    this.#now = now;
  }

  stopStore(subject: string, seconds: number): void {
    const now = this.#now();
    for (const [stopped, until] of this.#stopped) if (until <= now) this.#stopped.delete(stopped);
    this.#stopped.set(subject, now + seconds * 1000);
  }

  limitConnections(subject: string, connections: number): void {
    const now = this.#now();
    for (const [limited, { until }] of this.#limits) if (until <= now) this.#limits.delete(limited);
    if (connections === 0) this.#limits.delete(subject);
    else this.#limits.set(subject, { connections, until: now + LIMIT_MS });
  }

  get ready(): boolean {
    return this.#inner.ready;
  }

  issue = (request: IssueRequest) => this.#ask(request, () => this.#inner.issue(request));
  consume = (request: ConsumeRequest) =>
    this.#ask(request, (subject) => this.#inner.consume(this.#limited(request, subject)));
  note = (request: NoteRequest) => this.#ask(request, () => this.#inner.note(request));
  refuse = (request: RefuseRequest) => this.#ask(request, () => this.#inner.refuse(request));
  close = (request: CloseRequest) => this.#ask(request, () => this.#inner.close(request));
  revoke = (request: RevokeRequest) => this.#ask(request, () => this.#inner.revoke(request));
  renew = (request: RenewRequest) => this.#ask(request, () => this.#inner.renew(request));
  lease = (request: LeaseRequest) => this.#ask(request, () => this.#inner.lease(request));
  read = (id: string) => this.#ask({ id }, () => this.#inner.read(id));
  list = (subject: string, page?: ListPage) => this.#ask({ subject }, () => this.#inner.list(subject, page));

  // These concern no subject's tickets.
  count = (request: CountRequest) => this.#inner.count(request);
  announce = (gateway: GatewayStatus) => this.#inner.announce(gateway);
  withdraw = (gatewayId: string) => this.#inner.withdraw(gatewayId);
  command = (gatewayId: string, command: GatewayCommand) => this.#inner.command(gatewayId, command);
  listen = (gatewayId: string, listener: (command: GatewayCommand) => void) => this.#inner.listen(gatewayId, listener);
  end = () => this.#inner.end();

  /** Asks the store behind, unless it is stopped for the subject that the request names or whose ticket it is. */
  async #ask<T>(
    { id, subject }: { readonly id?: string; readonly subject?: string | undefined },
    ask: (subject: string) => Promise<T>,
  ): Promise<T> {
    if (this.#stopped.size + this.#limits.size === 0) return ask('');
    const whose = subject ?? (await this.#inner.read(id ?? ''))?.subject ?? '';
    const until = this.#stopped.get(whose);
    if (until !== undefined && this.#now() < until) throw new StoreUnavailable('stopped in the playground');
    return ask(whose);
  }

  #limited(request: ConsumeRequest, subject: string): ConsumeRequest {
    const limit = this.#limits.get(subject);
    if (limit === undefined || this.#now() >= limit.until) return request;
    return { ...request, maxConnections: limit.connections, limitPolicy: 'refuse' };
  }
}
