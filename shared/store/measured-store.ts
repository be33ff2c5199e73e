import { performance } from 'node:perf_hooks';
import type { Metrics, StoreOperation } from '../metrics.ts';
import type {
  CloseRequest,
  ConsumeOutcome,
  ConsumeRequest,
  CountRequest,
  GatewayCommand,
  GatewayStatus,
  IssueRequest,
  LeaseRequest,
  ListPage,
  NoteRequest,
  RefuseRequest,
  RenewRequest,
  RevokeRequest,
  TicketStore,
} from './store.ts';

/** Counts the operations of a store that fail, and measures how long each consume takes. */
export class MeasuredStore implements TicketStore {
  readonly #inner: TicketStore;
  readonly #metrics: Metrics;

  constructor(inner: TicketStore, metrics: Metrics) {
    this.#inner = inner;
    this.#metrics = metrics;
  }

  get ready(): boolean {
    return this.#inner.ready;
  }

  issue = (request: IssueRequest) => this.#count('issue', this.#inner.issue(request));
  note = (request: NoteRequest) => this.#count('note', this.#inner.note(request));
  refuse = (request: RefuseRequest) => this.#count('refuse', this.#inner.refuse(request));
  close = (request: CloseRequest) => this.#count('close', this.#inner.close(request));
  revoke = (request: RevokeRequest) => this.#count('revoke', this.#inner.revoke(request));
  renew = (request: RenewRequest) => this.#count('renew', this.#inner.renew(request));
  lease = (request: LeaseRequest) => this.#count('lease', this.#inner.lease(request));
  read = (id: string) => this.#count('read', this.#inner.read(id));
  list = (subject: string, page?: ListPage) => this.#count('list', this.#inner.list(subject, page));
  count = (request: CountRequest) => this.#count('count', this.#inner.count(request));
  announce = (gateway: GatewayStatus) => this.#count('announce', this.#inner.announce(gateway));
  withdraw = (gatewayId: string) => this.#count('announce', this.#inner.withdraw(gatewayId));
  command = (gatewayId: string, command: GatewayCommand) =>
    this.#count('control', this.#inner.command(gatewayId, command));
  listen = (gatewayId: string, listener: (command: GatewayCommand) => void) => this.#inner.listen(gatewayId, listener);
  end = () => this.#inner.end();

  async consume(request: ConsumeRequest): Promise<ConsumeOutcome> {
    const started = performance.now();
    const outcome = await this.#count('consume', this.#inner.consume(request));
    this.#metrics.observe('oncegate_consume_duration_seconds', (performance.now() - started) / 1000);
    return outcome;
  }

  async #count<T>(operation: StoreOperation, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      this.#metrics.count('oncegate_store_errors_total', operation);
      throw error;
    }
  }
}
