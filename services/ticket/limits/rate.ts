import { RateLimiterMemory } from 'rate-limiter-flexible';
import { Places } from '../../../shared/limits/places.ts';
import { StoreUnavailable, type TicketStore } from '../../../shared/store/store.ts';
import { setBounded } from './bounded-map.ts';

export interface RateOptions {
  readonly kind: string;
  /** How many are allowed in a window; 0 for no limit. */
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

/** How long an answer that nothing was counted is reused, ms. */
const QUIET_MS = 1_000;
const MAX_QUIET = 10_000;

/**
 * Limits how often something may happen in a minute. All ticket services count together in the store.
 * If the store is unavailable, each service counts for itself.
 */
export class Rate {
  readonly kind: string;
  readonly quota: number;
  readonly #store: TicketStore;
  readonly #local: RateLimiterMemory;
  /** The latest states that hits of this process have found, each with `#hits` of that moment. */
  readonly #found = new Map<string, { readonly state: RateState; readonly hits: number }>();
  readonly #places = new Places();
  /** Keys for which nothing was counted, each with the time until which that is reused (monotonic clock, ms). */
  readonly #quiet = new Map<string, number>();
  /** How often a hit began or ended in this process. */
  #hits = 0;

  constructor({ kind, quota, store }: RateOptions) {
    this.kind = kind;
    this.quota = quota;
    this.#store = store;
    this.#local = new RateLimiterMemory({ points: Math.max(1, quota), duration: RATE_WINDOW_SECONDS });
  }

  /**
   * Tells whether one more is allowed, without counting it. A key without hits is asked for once a second
   * (decision 0030). The next look sees hits of this process at once, and hits of others within that second.
   *
   * measured: asking the store costs as much as issuing a ticket.
   */
  async look(key: string): Promise<RateState> {
    const now = performance.now();
    const { quota } = this;
    if (now < (this.#quiet.get(key) ?? 0)) return { remaining: quota, resetSeconds: 0, exceeded: false };
    const hits = this.#hits;
    const state = await this.#ask(key, 0);
    // Race: the store may have answered before it counted a hit that began meanwhile.
    if (state.remaining === quota && hits === this.#hits) setBounded(this.#quiet, key, now + QUIET_MS, MAX_QUIET);
    return state;
  }

  /** Asks as {@link Rate.look}, and takes all for counted that has a place in this process. */
  async lookAtPlaces(key: string): Promise<() => RateState> {
    const hits = this.#hits;
    const seen = await this.look(key);
    return () => {
      // Race: a hit that ended during the look may be missing in it.
      const found = this.#found.get(key);
      const known =
        found !== undefined && found.hits > hits && found.state.remaining < seen.remaining ? found.state : seen;
      const remaining = Math.max(0, known.remaining - this.#places.taken(key));
      return { ...known, remaining, exceeded: remaining === 0 };
    };
  }

  /** Takes a place; see {@link reserve}. */
  take(key: string): () => void {
    return this.#places.take([key]);
  }

  /**
   * Counts one more.
   *
   * @param free frees the place of what is counted
   */
  async hit(key: string, free?: () => void): Promise<RateState> {
    this.#forgetQuiet(key);
    try {
      const state = await this.#ask(key, 1);
      setBounded(this.#found, key, { state, hits: this.#hits + 1 }, MAX_QUIET);
      return state;
    } finally {
      // In one step with the state: the place is never counted twice, nor not at all.
      free?.();
      // Again: a look may have begun and ended during the hit.
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
    // A hit is counted already; a look asks about the next one.
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
