import { type GatewayStatus, StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import { VERSION } from '../../../shared/version.ts';

export interface PresenceOptions {
  readonly store: TicketStore;
  readonly status: () => Pick<GatewayStatus, 'gatewayId' | 'connections' | 'draining'>;
}

const REFRESH_MS = 10_000;
const TICK_MS = 500;

/** Keeps a gateway announced in the store while it runs, so that operators can list the fleet. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #startedAt = Date.now();
  readonly #timer: NodeJS.Timeout;
  #dueAt = 0;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    this.#tick();
  }

  /** Announces the current status at once. */
  refresh(): void {
    this.#dueAt = 0;
    this.#tick();
  }

  /** Withdraws the announcement. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#try(this.#options.store.withdraw(this.#options.status().gatewayId));
  }

  #tick(): void {
    const { store, status } = this.#options;
    // While the store is down nobody can read it. The gateway is announced as soon as the store is back.
    if (performance.now() < this.#dueAt || !store.ready) return;
    this.#dueAt = performance.now() + REFRESH_MS;
    void this.#try(store.announce({ ...status(), startedAt: this.#startedAt, version: VERSION }));
  }

  async #try(operation: Promise<void>): Promise<void> {
    try {
      await operation;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.#dueAt = 0;
    }
  }
}
