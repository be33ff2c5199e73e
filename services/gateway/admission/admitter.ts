import { performance } from 'node:perf_hooks';
import { ABNORMAL_CLOSURE, NO_STATUS, type RecordedReason } from '../../../shared/close-codes.ts';
import type { Metrics } from '../../../shared/metrics.ts';
import type { Logger } from '../../../shared/process/log.ts';
import { type Refusal, rowOf } from '../../../shared/refusals.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import type { Connection, Wire, WireListener } from '../connections/connection.ts';
import type { Connections } from '../connections/connections.ts';
import {
  type AdmissionContext,
  type AdmittedUpgrade,
  admit,
  type Presented,
  refuseEarly,
  type Visitor,
} from './admit.ts';
import type { Load } from './load.ts';
import type { FindRoute } from './routes.ts';

export interface AdmitterContext {
  readonly settings: Settings;
  readonly gatewayId: string;
  readonly findRoute: FindRoute;
  readonly store: TicketStore;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly connections: Connections;
  readonly load: Load;
}

/** An admitted upgrade that is not open yet. Exactly one of its ends is called, once. */
export interface Entry {
  readonly admission: AdmittedUpgrade;
  /** It is open on this wire. Before, nothing has been said to the client but 101. */
  open(wire: Wire): WireListener;
  /** What is behind the gateway said no: the record tells it, before the client is answered with what is returned. */
  takeBack(refusal: Refusal): Promise<Refusal>;
  /** The client went away. */
  gone(): void;
  /** A proxy holds the connection from now on (forward-auth): no gateway sees it any more. */
  handOver(): void;
}

export type Decision =
  | { readonly kind: 'admitted'; readonly entry: Entry }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/**
 * What every way into a gateway has in common: the decision, and the books about it, which are the
 * record, the log, the metrics, the load and the connections.
 */
export class Admitter {
  readonly #context: AdmitterContext;
  readonly #admission: AdmissionContext;

  constructor(context: AdmitterContext) {
    const { settings, gatewayId, findRoute, load, store } = context;
    this.#context = context;
    const rules = {
      gatewayId,
      findRoute,
      carriers: settings.ticketCarriers,
      bindAddress: settings.bindAddress,
      limitPolicy: settings.connectionLimitPolicy,
    };
    this.#admission = { rules, load, store };
  }

  /** Decides about an upgrade, and has what follows from it done, before it counts as decided. */
  async decide(visitor: Visitor, then: (decision: Decision) => void | Promise<void>): Promise<void> {
    const { load } = this.#context;
    const place = load.enter();
    try {
      const admission = await admit(visitor, this.#admission, place);
      if (admission.kind === 'refused') {
        await then(admission);
        await this.#refused(visitor, admission.refusal, admission.subject);
      } else {
        this.#tellReplaced(admission);
        await this.#enter(visitor, admission, then);
      }
    } finally {
      load.leave(place);
    }
  }

  /** Refuses what is no upgrade at all: the record of the ticket that came with it says so. Returned is the refusal to write. */
  async refuse(presented: Presented, refusal: Refusal): Promise<Refusal> {
    const refused = await refuseEarly(refusal, presented, this.#admission);
    this.see(refused.refusal, refused.subject);
    return refused.refusal;
  }

  /** One log line and one count for each refusal; a replay is named as such. */
  see({ code, ticketId }: Refusal, subject?: string): void {
    const { log, metrics } = this.#context;
    metrics.count('oncegate_handshakes_total', code);
    if (code === 'ticket_consumed') {
      metrics.count('oncegate_replays_total');
      log.warn({ event: 'replay', code, ticket_id: ticketId, subject });
    } else {
      log.info({ event: 'refusal', code, ticket_id: ticketId, subject });
    }
  }

  async #enter(visitor: Visitor, admission: AdmittedUpgrade, then: (decision: Decision) => void | Promise<void>) {
    const { metrics, connections } = this.#context;
    const { ticketId: id, attemptId, admitted, leaveRoute } = admission;
    const { subject, openedAt, sessionExpiresAt } = admitted;
    const callOff = connections.expect(id);
    let opened = false;
    let settled = false;

    const gone = (reason: RecordedReason, code: number) => {
      settled = true;
      connections.recordEnd({ id, attemptId, subject }, code, reason);
    };
    const entry: Entry = {
      admission,
      open: (wire) => {
        opened = true;
        metrics.count('oncegate_handshakes_total', 'admitted');
        const connection = connections.open({ id, attemptId, subject, openedAt, sessionExpiresAt, wire });
        return new Opened(connection, connections, leaveRoute);
      },
      takeBack: async (refusal) => {
        settled = true;
        await this.#recordTakenBack(admission, refusal);
        await this.#refused(visitor, { ...refusal, ticketId: id }, subject);
        return { ...refusal, ticketId: id };
      },
      gone: () => gone('client_gone', ABNORMAL_CLOSURE),
      handOver: () => {
        metrics.count('oncegate_handshakes_total', 'admitted');
        gone('handed_over', NO_STATUS);
      },
    };
    try {
      await then({ kind: 'admitted', entry });
      if (!opened && !settled) gone('client_gone', ABNORMAL_CLOSURE);
    } catch (error) {
      if (!opened && !settled) gone('gateway_fault', ABNORMAL_CLOSURE);
      throw error;
    } finally {
      callOff();
      if (!opened) leaveRoute();
    }
  }

  async #recordTakenBack({ ticketId: id, attemptId, admitted: { subject } }: AdmittedUpgrade, refusal: Refusal) {
    const { store, connections } = this.#context;
    const { code: outcome, passedOn } = refusal;
    const status = passedOn?.status ?? rowOf(outcome).status;
    try {
      await store.refuse({ id, attemptId, outcome, status });
    } catch (error) {
      // It is written down later, as the connection that it never became.
      connections.recordEnd({ id, attemptId, subject }, ABNORMAL_CLOSURE, outcome);
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  async #refused({ address }: Visitor, refusal: Refusal, subject: string | undefined): Promise<void> {
    this.see(refusal, subject);
    await this.#context.load.failed(address, refusal.code);
  }

  /** The connections that had to make room are closed by the gateways that hold them. */
  #tellReplaced({ admitted }: AdmittedUpgrade): void {
    const { store, log } = this.#context;
    for (const { id, gatewayId } of admitted.replaced) {
      log.info({ event: 'replace', ticket_id: id, subject: admitted.subject, holder: gatewayId });
      const command = { command: 'close', ticket_id: id, reason: 'replaced' } as const;
      // Should it be lost, that gateway learns it with the next lease.
      store.command(gatewayId, command).catch(() => {});
    }
  }
}

/** What an open connection keeps of its admission: as long as it is open, nothing else of that is kept. */
class Opened implements WireListener {
  readonly #connection: Connection;
  readonly #connections: Connections;
  readonly #leaveRoute: () => void;

  constructor(connection: Connection, connections: Connections, leaveRoute: () => void) {
    this.#connection = connection;
    this.#connections = connections;
    this.#leaveRoute = leaveRoute;
  }

  heard(): void {
    this.#connection.heard(performance.now());
  }

  failed(reason: Parameters<WireListener['failed']>[0]): void {
    this.#connection.close(reason, performance.now());
  }

  ended(code: number, reason: string): void {
    this.#leaveRoute();
    this.#connections.ended(this.#connection, code, reason);
  }
}
