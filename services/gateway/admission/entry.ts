import { performance } from 'node:perf_hooks';
import { ABNORMAL_CLOSURE, NO_STATUS, type RecordedReason } from '../../../shared/close-codes.ts';
import type { Metrics } from '../../../shared/metrics.ts';
import { type Refusal, rowOf } from '../../../shared/refusals.ts';
import { StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import type { Connection } from '../connections/connection.ts';
import type { Connections } from '../connections/connections.ts';
import type { Wire, WireListener } from '../wires/wire.ts';
import type { AdmittedUpgrade } from './admit.ts';

/** What an entry needs from its gateway. */
export interface EntryContext {
  readonly store: TicketStore;
  readonly metrics: Metrics;
  readonly connections: Connections;
  /** Logs a refusal and counts it, also against the client's address. */
  readonly onRefused: (address: string, refusal: Refusal, subject: string | undefined) => void;
}

/**
 * An admitted upgrade that is not open yet. It ends exactly once: by `open`, `takeBack`, `gone` or `handOver`. A second
 * end is a fault and throws. {@link Entry.during} ends an entry that has no end when the upgrade has been answered.
 */
export class Entry {
  readonly admission: AdmittedUpgrade;
  readonly #address: string;
  readonly #context: EntryContext;
  #isEnded = false;
  #isOpen = false;

  private constructor(admission: AdmittedUpgrade, address: string, context: EntryContext) {
    this.admission = admission;
    this.#address = address;
    this.#context = context;
  }

  /**
   * Makes the entry of an admitted upgrade and has the upgrade answered. If the entry has no end afterwards, it ends
   * as `client_gone`, or as `gateway_fault` if `answer` threw.
   *
   * @param address of the client
   * @param answer answers the client, and ends the entry
   * @returns what `answer` returned
   */
  static async during<T>(
    admission: AdmittedUpgrade,
    address: string,
    context: EntryContext,
    answer: (entry: Entry) => T | Promise<T>,
  ): Promise<T> {
    const { connections } = context;
    const entry = new Entry(admission, address, context);
    connections.expect(admission.ticketId);
    try {
      const answered = await answer(entry);
      if (!entry.#isEnded) entry.#endAs('client_gone', ABNORMAL_CLOSURE);
      return answered;
    } catch (error) {
      if (!entry.#isEnded) entry.#endAs('gateway_fault', ABNORMAL_CLOSURE);
      throw error;
    } finally {
      connections.expectNoMore(admission.ticketId);
      if (!entry.#isOpen) admission.freeRouteSlot();
    }
  }

  /**
   * The connection is open on this wire. The client has been sent nothing but the 101.
   *
   * @returns the listener that the wire reports to
   */
  open(wire: Wire): WireListener {
    this.#end();
    this.#isOpen = true;
    const { metrics, connections } = this.#context;
    const { ticketId: id, attemptId, admitted, freeRouteSlot } = this.admission;
    const { subject, openedAt, sessionExpiresAt } = admitted;
    metrics.count('oncegate_handshakes_total', 'admitted');
    const connection = connections.open({ id, attemptId, subject, openedAt, sessionExpiresAt, wire });
    return new OpenConnection(connection, connections, freeRouteSlot);
  }

  /**
   * The upstream or the application refused the connection. The record tells so before the client is answered.
   *
   * @returns the refusal to answer with
   */
  async takeBack(refusal: Refusal): Promise<Refusal> {
    this.#end();
    const { ticketId, admitted } = this.admission;
    const named = { ...refusal, ticketId };
    await this.#recordRefusal(refusal);
    this.#context.onRefused(this.#address, named, admitted.subject);
    return named;
  }

  /** The client went away. */
  gone(): void {
    this.#endAs('client_gone', ABNORMAL_CLOSURE);
  }

  /** A proxy holds the connection from now on (forward-auth). No gateway sees it any more. */
  handOver(): void {
    this.#endAs('handed_over', NO_STATUS);
    this.#context.metrics.count('oncegate_handshakes_total', 'admitted');
  }

  #end(): void {
    if (this.#isEnded) throw new Error('an admitted upgrade has ended twice');
    this.#isEnded = true;
  }

  #endAs(reason: RecordedReason, closeCode: number): void {
    this.#end();
    const { ticketId: id, attemptId, admitted } = this.admission;
    this.#context.connections.recordEnd({ id, attemptId, subject: admitted.subject }, closeCode, reason);
  }

  async #recordRefusal({ code: outcome, passedOn }: Refusal): Promise<void> {
    const { store, connections } = this.#context;
    const { ticketId: id, attemptId, admitted } = this.admission;
    const status = passedOn?.status ?? rowOf(outcome).status;
    try {
      await store.refuse({ id, attemptId, outcome, status });
    } catch (error) {
      // The end is recorded later, as that of a connection.
      connections.recordEnd({ id, attemptId, subject: admitted.subject }, ABNORMAL_CLOSURE, outcome);
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}

/** The listener of an open connection. It does not hold the entry, which would keep the whole handshake in memory. */
class OpenConnection implements WireListener {
  readonly #connection: Connection;
  readonly #connections: Connections;
  readonly #freeRouteSlot: () => void;

  constructor(connection: Connection, connections: Connections, freeRouteSlot: () => void) {
    this.#connection = connection;
    this.#connections = connections;
    this.#freeRouteSlot = freeRouteSlot;
  }

  heard(): void {
    this.#connection.heard(performance.now());
  }

  failed(reason: Parameters<WireListener['failed']>[0]): void {
    this.#connection.close(reason, performance.now());
  }

  ended(code: number, reason: string): void {
    this.#freeRouteSlot();
    this.#connections.ended(this.#connection, code, reason);
  }
}
