import { performance } from 'node:perf_hooks';
import { type CloseReason, closeCodes } from '../../../shared/close-codes.ts';
import { closeCodeLabel, type Metrics } from '../../../shared/metrics.ts';
import { type Logger, logFault } from '../../../shared/process/log.ts';
import { type CloseRequest, StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import { Connection, type ConnectionOptions } from './connection.ts';

export interface ConnectionsOptions {
  readonly gatewayId: string;
  readonly store: TicketStore;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
}

/** How many operations on the store are under way at once when many connections want one. */
const STORE_WORKERS = 64;

/** The most endings that are remembered while the store is away; later ones lapse with their lease. */
const MAX_UNRECORDED = 100_000;

const TICK_MAX_MS = 1_000;
const TICK_MIN_MS = 50;

/**
 * The open connections of one gateway, and their records: leases are renewed while they are open, and
 * each ending is written down, later if the store is away.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<string, Connection>();
  readonly #expected = new Map<string, CloseReason | undefined>();
  readonly #unrecorded = new Map<string, CloseRequest>();
  readonly #leaseEveryMs: number;
  readonly #timer: NodeJS.Timeout;
  /** Endings that are being written down. */
  readonly #recording = new Set<Promise<void>>();
  #renewing = false;
  #recordingLate = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#leaseEveryMs = options.leaseMs / 3;
    const tickMs = Math.min(TICK_MAX_MS, options.heartbeatMs / 4, this.#leaseEveryMs / 2);
    this.#timer = setInterval(() => this.#tick(), Math.max(TICK_MIN_MS, tickMs));
    this.#timer.unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Those that are not being closed yet. */
  get staying(): Connection[] {
    return [...this.#open.values()].filter((connection) => connection.closing === undefined);
  }

  /** A connection is about to open. What is to close it until then closes it as soon as it is open. */
  expect(id: string): void {
    this.#expected.set(id, undefined);
  }

  /** The connection is open, or never will be. */
  expectNoMore(id: string): void {
    this.#expected.delete(id);
  }

  open(options: Omit<ConnectionOptions, 'now'>): Connection {
    const connection = new Connection({ ...options, now: performance.now() });
    this.#open.set(connection.id, connection);
    this.#options.metrics.set('oncegate_connections_open', this.#open.size);
    this.#options.log.info({ event: 'open', ticket_id: connection.id, subject: connection.subject });
    const reason = this.#expected.get(connection.id);
    this.#expected.delete(connection.id);
    if (reason !== undefined) connection.close(reason, performance.now());
    return connection;
  }

  /** Closes a connection of this gateway for a reason of the table. */
  close(id: string, reason: CloseReason, detail?: string): void {
    if (this.#expected.has(id)) this.#expected.set(id, reason);
    this.#open.get(id)?.close(reason, performance.now(), detail);
  }

  /** Moves the end of a connection's session (Unix ms by the store's clock). */
  renew(id: string, sessionExpiresAt: number): void {
    this.#open.get(id)?.renew(sessionExpiresAt);
  }

  /** The socket of a connection has ended, with this code and reason from the client or the network. */
  ended(connection: Connection, code: number, reason: string): void {
    if (!this.#open.delete(connection.id)) return;
    this.#options.metrics.set('oncegate_connections_open', this.#open.size);
    const { cause } = connection;
    if (cause === undefined) this.recordEnd(connection, code, reason);
    else this.recordEnd(connection, closeCodes[cause].code, cause);
  }

  /** Writes the end of a connection down: record, log, metric. */
  recordEnd(of: Pick<Connection, 'id' | 'attemptId' | 'subject'>, closeCode: number, closeReason: string): void {
    const { log, metrics } = this.#options;
    log.info({ event: 'close', ticket_id: of.id, subject: of.subject, code: closeCode, reason: closeReason });
    metrics.count('oncegate_connections_closed_total', closeCodeLabel(closeCode));
    const request = { id: of.id, attemptId: of.attemptId, closeCode, closeReason };
    const recorded = this.#record(request);
    this.#recording.add(recorded);
    void recorded.then(() => this.#recording.delete(recorded));
  }

  /** Resolves when every ending so far has been written, or could not be. */
  async recorded(): Promise<void> {
    await Promise.all(this.#recording);
  }

  /** Ends every socket that is left, telling the client that the process ends. */
  abandon(): void {
    for (const connection of this.#open.values()) connection.close('going_away', performance.now());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const due: Connection[] = [];
    for (const connection of this.#open.values()) {
      connection.tick(now, this.#options.heartbeatMs);
      if (connection.leaseDue(now, this.#leaseEveryMs)) due.push(connection);
    }
    if (due.length > 0 && !this.#renewing && this.#options.store.ready) {
      this.#renewing = true;
      void inTurn(due, (connection) => this.#renewLease(connection)).finally(() => {
        this.#renewing = false;
      });
    }
    if (this.#unrecorded.size > 0 && !this.#recordingLate && this.#options.store.ready) {
      this.#recordingLate = true;
      void inTurn([...this.#unrecorded.values()], (request) => this.#record(request)).finally(() => {
        this.#recordingLate = false;
      });
    }
  }

  async #renewLease(connection: Connection): Promise<void> {
    const { gatewayId, store, log } = this.#options;
    if (!this.#open.has(connection.id)) return;
    try {
      const { id, attemptId, subject, openedAt, sessionExpiresAt } = connection;
      const request = { id, attemptId, gatewayId, subject, openedAt, sessionExpiresAt };
      const outcome = await store.lease(request);
      const now = performance.now();
      connection.leased(now);
      if (outcome.code === 'held') {
        // What came over the control channel while the store was asked is newer than its answer.
        if (connection.sessionExpiresAt === sessionExpiresAt) connection.renew(outcome.sessionExpiresAt);
      } else if (outcome.code === 'ended') connection.close(outcome.reason, now);
      else log.warn({ event: 'record_restored', ticket_id: id, subject });
    } catch (error) {
      // It stays due, and is tried again with the next tick. A fault concerns this connection alone.
      if (!(error instanceof StoreUnavailable)) logFault(log, error);
    }
  }

  async #record(request: CloseRequest): Promise<void> {
    try {
      await this.#options.store.close(request);
      this.#unrecorded.delete(request.id);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) logFault(this.#options.log, error);
      this.#remember(request);
    }
  }

  #remember(request: CloseRequest): void {
    if (this.#unrecorded.size < MAX_UNRECORDED) this.#unrecorded.set(request.id, request);
  }
}

/** Works through the items, a bounded number of them at once. */
async function inTurn<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: STORE_WORKERS }, worker));
}
