import { RateLimiterMemory } from 'rate-limiter-flexible';
import { StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import { remember } from './bounded-map.ts';

export interface RateOptions {
  readonly kind: string;
  /** How many are allowed in a window; 0 for any number. */
  readonly quota: number;
  readonly store: TicketStore;
}

export interface RateState {
  readonly remaining: number;
  /** Seconds until the window ends. */
  readonly resetSeconds: number;
  readonly exceeded: boolean;
}

/** The window of every rate, in seconds. */
export const RATE_WINDOW_SECONDS = 60;

/** For how long it is believed that nothing was counted, ms. */
const QUIET_MS = 1_000;
const MAX_QUIET = 10_000;

/**
 * How often something may happen in a minute, counted by all ticket services together in the store;
 * while that is away each of them counts for itself.
 */
export class Rate {
  readonly kind: string;
  readonly quota: number;
  readonly #store: TicketStore;
  readonly #local: RateLimiterMemory;
  /** Keys of which nothing was counted a moment ago, each with the end of that moment by the monotonic clock, ms. */
  readonly #quiet = new Map<string, number>();
  /** How often counting something began or ended here. */
  #hits = 0;

  constructor({ kind, quota, store }: RateOptions) {
    this.kind = kind;
    this.quota = quota;
    this.#store = store;
    this.#local = new RateLimiterMemory({ points: Math.max(1, quota), duration: RATE_WINDOW_SECONDS });
  }

  /**
   * Whether one more is allowed, without counting one. Of a key of which nothing was counted the store is
   * asked once a second, for asking costs as much as issuing a ticket (decision 0030): what is counted here is
   * seen by the next look, what is counted elsewhere within that second.
   */
  async look(key: string): Promise<RateState> {
    const now = performance.now();
    const { quota } = this;
    if (now < (this.#quiet.get(key) ?? 0)) return { remaining: quota, resetSeconds: 0, exceeded: false };
    const hits = this.#hits;
    const state = await this.#ask(key, 0);
    // What was counted here meanwhile may be what the store had not heard of yet.
    if (state.remaining === quota && hits === this.#hits) remember(this.#quiet, key, now + QUIET_MS, MAX_QUIET);
    return state;
  }

  /** Counts one more. */
  async hit(key: string): Promise<RateState> {
    this.#forgetQuiet(key);
    try {
      return await this.#ask(key, 1);
    } finally {
      // Once more: a look may have been asked and answered meanwhile.
      this.#forgetQuiet(key);
    }
  }

  #forgetQuiet(key: string): void {
    this.#quiet.delete(key);
    this.#hits += 1;
  }

  async #ask(key: string, add: 0 | 1): Promise<RateState> {
    if (this.quota === 0) return { remaining: Number.POSITIVE_INFINITY, resetSeconds: 0, exceeded: false };
    const { count, resetMs } = await this.#count(key, add);
    // A look asks about the next one; a hit has counted it.
    const exceeded = add === 1 ? count > this.quota : count >= this.quota;
    return { remaining: Math.max(0, this.quota - count), resetSeconds: Math.ceil(resetMs / 1000), exceeded };
  }

  async #count(key: string, add: 0 | 1): Promise<{ count: number; resetMs: number }> {
    const request = { kind: this.kind, key, windowMs: RATE_WINDOW_SECONDS * 1000, add };
    try {
      return await this.#store.count(request);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      const local = add === 1 ? await this.#local.penalty(key) : await this.#local.get(key);
      return { count: local?.consumedPoints ?? 0, resetMs: local?.msBeforeNext ?? 0 };
    }
  }
}
