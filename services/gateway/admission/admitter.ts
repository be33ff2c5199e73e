import type { Metrics } from '../../../shared/metrics.ts';
import type { Logger } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import type { Connections } from '../connections/connections.ts';
import {
  type AdmissionContext,
  type AdmittedUpgrade,
  admit,
  type Refused,
  type RefusedRequest,
  refuseEarly,
  type Visitor,
} from './admit.ts';
import { Entry, type EntryContext } from './entry.ts';
import type { Load, Slot } from './load.ts';
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

export type Decision =
  | { readonly kind: 'admitted'; readonly entry: Entry }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Decides about upgrades for every front of a gateway, and does the bookkeeping: record, log, metrics and load. */
export class Admitter {
  readonly #context: AdmitterContext;
  readonly #admission: AdmissionContext;
  readonly #entryContext: EntryContext;

  constructor(context: AdmitterContext) {
    const { settings, gatewayId, findRoute, load, store, metrics, connections } = context;
    this.#context = context;
    const rules = {
      gatewayId,
      findRoute,
      allowedHosts: settings.allowedHosts,
      carriers: settings.ticketCarriers,
      bindAddress: settings.bindAddress,
      limitPolicy: settings.connectionLimitPolicy,
    };
    this.#admission = { rules, load, store };
    const onRefused: EntryContext['onRefused'] = (address, refusal, subject) =>
      this.#refused(address, { refusal, subject });
    this.#entryContext = { store, metrics, connections, onRefused };
  }

  /**
   * Decides about an upgrade and has it answered. Until then it counts as being decided, and a drain waits for it.
   *
   * @param answer answers the client, and ends the entry of an admitted upgrade
   * @returns what `answer` returned
   */
  async decide<T>(visitor: Visitor, answer: (decision: Decision) => T | Promise<T>): Promise<T> {
    const { load } = this.#context;
    const { address } = visitor;
    const slot = load.enter();
    try {
      const admission = await admit(visitor, this.#admission, slot);
      if (admission.kind === 'refused') {
        const answered = await answer(admission);
        this.#refused(address, admission, slot);
        return answered;
      }
      this.#tellReplaced(admission);
      return await Entry.during(admission, address, this.#entryContext, (entry) => answer({ kind: 'admitted', entry }));
    } finally {
      load.leave(slot);
    }
  }

  /**
   * Refuses a request that is no upgrade, and notes that on the record of its ticket.
   *
   * @returns the refusal to answer with
   */
  async refuse(request: RefusedRequest, refusal: Refusal): Promise<Refusal> {
    const refused = await refuseEarly(refusal, request, this.#admission);
    this.logRefusal(refused.refusal, refused.subject);
    return refused.refusal;
  }

  /** Logs and counts a refusal, and a replay as such. */
  logRefusal({ code, ticketId }: Refusal, subject?: string, reason?: string): void {
    const { log, metrics } = this.#context;
    metrics.count('oncegate_handshakes_total', code);
    if (code === 'ticket_consumed') {
      metrics.count('oncegate_replays_total');
      log.warn({ event: 'replay', code, ticket_id: ticketId, subject });
    } else {
      log.info({ event: 'refusal', code, ticket_id: ticketId, subject, reason });
    }
  }

  #refused(address: string, { refusal, subject, reason }: Omit<Refused, 'kind'>, slot?: Slot): void {
    this.logRefusal(refusal, subject, reason);
    this.#context.load.failed(address, refusal.code, slot);
  }

  /** Commands the gateways that hold replaced connections to close them. */
  #tellReplaced({ admitted }: AdmittedUpgrade): void {
    const { store, log } = this.#context;
    for (const { id, gatewayId } of admitted.replaced) {
      log.info({ event: 'replace', ticket_id: id, subject: admitted.subject, holder: gatewayId });
      const command = { command: 'close', ticket_id: id, reason: 'replaced' } as const;
      // If the command is lost, that gateway learns of it when it renews the lease.
      store.command(gatewayId, command).catch(() => {});
    }
  }
}
