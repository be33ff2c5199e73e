import { type GatewayStatus, StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import { VERSION } from '../../../shared/version.ts';

export interface PresenceOptions {
  readonly store: TicketStore;
  readonly status: () => Pick<GatewayStatus, 'gatewayId' | 'connections' | 'draining'>;
}

const REFRESH_MS = 10_000;
const TICK_MS = 500;

/** Keeps a gateway announced in the store while it runs, so that an operator can see the fleet. */
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

  /** Announces it anew, as it is now. */
  refresh(): void {
    this.#dueAt = 0;
    this.#tick();
  }

  /** Takes the announcement back. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#try(this.#options.store.withdraw(this.#options.status().gatewayId));
  }

  #tick(): void {
    const { store, status } = this.#options;
    // While the store is away nobody can look; it is announced as soon as it is back.
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
