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

/** The most store operations at the same time when many connections need one. */
const STORE_WORKERS = 64;

/** The most ends that are remembered while the store is down. Connections beyond that end with their lease. */
const MAX_UNRECORDED = 100_000;

const TICK_MAX_MS = 1_000;
const TICK_MIN_MS = 50;

/**
 * The open connections of one gateway and their records. Leases are renewed while connections are open. Each end
 * is recorded, later if the store is down.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<string, Connection>();
  readonly #expected = new Map<string, CloseReason | undefined>();
  readonly #unrecorded = new Map<string, CloseRequest>();
  readonly #leaseEveryMs: number;
  readonly #timer: NodeJS.Timeout;
  /** Ends that are being recorded. */
  readonly #recording = new Set<Promise<void>>();
  readonly #tickMs: number;
  /** When the next tick is due at the latest, if nothing blocks the event loop. */
  #tickDueBy = Number.POSITIVE_INFINITY;
  #renewing = false;
  #recordingLate = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#leaseEveryMs = options.leaseMs / 3;
    const tickMs = Math.min(TICK_MAX_MS, options.heartbeatMs / 4, this.#leaseEveryMs / 2);
    this.#tickMs = Math.max(TICK_MIN_MS, tickMs);
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /** The connections that the gateway is not closing. */
  get staying(): Connection[] {
    return [...this.#open.values()].filter((connection) => connection.closing === undefined);
  }

  /** A connection is about to open. A close that is asked for until then takes effect as soon as it is open. */
  expect(id: string): void {
    this.#expected.set(id, undefined);
  }

  /** The expected connection is open, or will not open. */
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

  /** Changes the end of a connection's session (Unix ms by the store's clock). */
  renew(id: string, sessionExpiresAt: number): void {
    this.#open.get(id)?.renew(sessionExpiresAt);
  }

  /** The socket of a connection has ended, with this code and reason from the client, the upstream or the network. */
  ended(connection: Connection, code: number, reason: string): void {
    if (!this.#open.delete(connection.id)) return;
    this.#options.metrics.set('oncegate_connections_open', this.#open.size);
    const { cause } = connection;
    if (cause === undefined) this.recordEnd(connection, code, reason);
    else this.recordEnd(connection, closeCodes[cause].code, cause);
  }

  /** Records the end of a connection: in the store, the log and the metrics. */
  recordEnd(of: Pick<Connection, 'id' | 'attemptId' | 'subject'>, closeCode: number, closeReason: string): void {
    const { log, metrics } = this.#options;
    log.info({ event: 'close', ticket_id: of.id, subject: of.subject, code: closeCode, reason: closeReason });
    metrics.count('oncegate_connections_closed_total', closeCodeLabel(closeCode));
    const request = { id: of.id, attemptId: of.attemptId, closeCode, closeReason };
    const recorded = this.#record(request);
    this.#recording.add(recorded);
    void recorded.then(() => this.#recording.delete(recorded));
  }

  /** Resolves once every end so far has been recorded, or the store has failed. */
  async recorded(): Promise<void> {
    await Promise.all(this.#recording);
  }

  /** Closes every connection that is left with `going_away`. */
  abandon(): void {
    for (const connection of this.#open.values()) connection.close('going_away', performance.now());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const wasBlocked = now > this.#tickDueBy;
    // Two ticks in a row are never left out.
    this.#tickDueBy = wasBlocked ? Number.POSITIVE_INFINITY : now + 2 * this.#tickMs;
    // What clients sent while the process was blocked is read before they are judged.
    if (wasBlocked) return;
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
        // A command that came while the store was asked is newer than the store's answer.
        if (connection.sessionExpiresAt === sessionExpiresAt) connection.renew(outcome.sessionExpiresAt);
      } else if (outcome.code === 'ended') connection.close(outcome.reason, now);
      else log.warn({ event: 'record_restored', ticket_id: id, subject });
    } catch (error) {
      // The lease stays due, and the next tick tries again. A fault concerns this connection alone.
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

/** Does the work for each item, for a bounded number of them at the same time. */
async function inTurn<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: STORE_WORKERS }, worker));
}
