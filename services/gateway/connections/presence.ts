import { type GatewayStatus, StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import { VERSION } from '../../../shared/version.ts';

export interface PresenceOptions {
  readonly store: TicketStore;
  /** Called once, when another gateway is found to be announced under the same id. */
  readonly onShared: () => void;
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
  #announced = false;
  #shared = false;

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
    const { store } = this.#options;
    // While the store is down nobody can read it. The gateway is announced as soon as the store is back.
    if (performance.now() < this.#dueAt || !store.ready) return;
    this.#dueAt = performance.now() + REFRESH_MS;
    void this.#try(this.#announce());
  }

  async #announce(): Promise<void> {
    const { store, status, onShared } = this.#options;
    const replaced = await store.announce({ ...status(), startedAt: this.#startedAt, version: VERSION });
    // The first announcement may replace that of a gateway which was killed and had the same id.
    const isOther = this.#announced && replaced !== undefined && replaced !== this.#startedAt;
    this.#announced = true;
    if (isOther && !this.#shared) onShared();
    this.#shared ||= isOther;
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
