import { performance } from 'node:perf_hooks';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { type Refusal, type RefusalCode, rowOf } from '../../../shared/refusals.ts';
import type { Route } from './routes.ts';

export interface LoadLimits {
  /** The most open connections; 0 for no limit. */
  readonly maxConnections: number;
  /** The most upgrades that are being decided at once. */
  readonly maxPendingUpgrades: number;
  /** Failed handshakes of one address in a minute; 0 for no limit. */
  readonly maxFailedHandshakesPerMinute: number;
}

/** The most refusals that are being noted at once while the gateway, or one address, is too busy. */
const MAX_NOTES_UNDER_LOAD = 50;

/** The most of them that are begun in a second. */
const MAX_NOTES_PER_SECOND_UNDER_LOAD = 50;

/** What an upgrade counts for while it is being decided. */
export interface Place {
  deciding: 0 | 1;
  /** 1 for one that came before the drain. */
  readonly admissible: 0 | 1;
}

/** How busy a gateway is, and whether it takes one more. */
export class Load {
  readonly #limits: LoadLimits;
  readonly #connections: () => number;
  readonly #failures: RateLimiterMemory | undefined;
  readonly #held = new Map<string, number>();
  #deciding = 0;
  #admissible = 0;
  /** Notes that are under way. */
  #notes = 0;
  /** Those that were begun under load, since this moment. */
  #notedUnderLoad = 0;
  #notedSince = Number.NEGATIVE_INFINITY;
  #draining = false;

  readonly #now: () => number;

  /**
   * @param connections how many connections are open now
   * @param now a monotonic clock, ms
   */
  constructor(limits: LoadLimits, connections: () => number, now = () => performance.now()) {
    this.#now = now;
    this.#limits = limits;
    this.#connections = connections;
    const points = limits.maxFailedHandshakesPerMinute;
    this.#failures = points === 0 ? undefined : new RateLimiterMemory({ points, duration: 60 });
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** How many upgrades are being decided that came before the drain, so that they may still be admitted. */
  get admissible(): number {
    return this.#admissible;
  }

  /** From now on every upgrade is refused. */
  drain(): void {
    this.#draining = true;
  }

  /** Counts an upgrade as being decided, until {@link Load.leave} is called for it. */
  enter(): Place {
    const place: Place = { deciding: 1, admissible: this.#draining ? 0 : 1 };
    this.#deciding += place.deciding;
    this.#admissible += place.admissible;
    return place;
  }

  /** An upgrade has been refused: others may be decided in its place, although it has not been answered yet. */
  free(place: Place): void {
    this.#deciding -= place.deciding;
    place.deciding = 0;
  }

  /** An upgrade has been answered. Called once for each. */
  leave(place: Place): void {
    this.free(place);
    this.#admissible -= place.admissible;
  }

  /** Why one more upgrade from this address is not taken, if so. The upgrade itself has entered. */
  async refusal(address: string): Promise<Refusal | undefined> {
    if (this.#draining) return { code: 'draining' };
    const limited = await this.#rateLimit(address);
    if (limited !== undefined) return limited;
    const { maxPendingUpgrades, maxConnections } = this.#limits;
    if (this.#deciding > maxPendingUpgrades) return { code: 'overloaded' };
    // Those that are being decided may all be admitted: each has its place reserved.
    if (maxConnections > 0 && this.#connections() + this.#deciding > maxConnections)
      return { code: 'connection_limit' };
    return undefined;
  }

  /** Whether a route has as many connections as it may. */
  isFull({ prefix, maxConnections }: Pick<Route, 'prefix' | 'maxConnections'>): boolean {
    return maxConnections > 0 && (this.#held.get(prefix) ?? 0) >= maxConnections;
  }

  /** Counts an upgrade, and the connection that it may become, against its route until the returned function is called. */
  hold({ prefix }: Pick<Route, 'prefix'>): () => void {
    this.#held.set(prefix, (this.#held.get(prefix) ?? 0) + 1);
    let held = true;
    return () => {
      if (held) this.#held.set(prefix, (this.#held.get(prefix) ?? 0) - 1);
      held = false;
    };
  }

  /** Counts a failed handshake against its address, if the refusal is one that counts. */
  async failed(address: string, code: RefusalCode): Promise<void> {
    if (rowOf(code).countsAgainstClient !== false) await this.#failures?.penalty(address);
  }

  /**
   * Whether a refusal, of whatever kind, may be noted now: a function to call when that is done, or
   * undefined. Explaining never adds to an overload: then it is the first thing to be dropped. The
   * refused upgrade has left.
   */
  async mayNote(address: string): Promise<(() => void) | undefined> {
    const limited = await this.#rateLimit(address);
    // A note is work for the store as much as a decision is.
    const busy = this.#deciding + this.#notes >= this.#limits.maxPendingUpgrades;
    if ((busy || limited !== undefined) && !this.#mayNoteUnderLoad()) return undefined;
    this.#notes += 1;
    return () => {
      this.#notes -= 1;
    };
  }

  #mayNoteUnderLoad(): boolean {
    const now = this.#now();
    if (now - this.#notedSince >= 1_000) {
      this.#notedSince = now;
      this.#notedUnderLoad = 0;
    }
    if (this.#notes >= MAX_NOTES_UNDER_LOAD || this.#notedUnderLoad >= MAX_NOTES_PER_SECOND_UNDER_LOAD) return false;
    this.#notedUnderLoad += 1;
    return true;
  }

  async #rateLimit(address: string): Promise<Refusal | undefined> {
    const failed = await this.#failures?.get(address);
    if (!failed || failed.consumedPoints < this.#limits.maxFailedHandshakesPerMinute) return undefined;
    return { code: 'rate_limited', retryAfterSeconds: Math.ceil(failed.msBeforeNext / 1000) };
  }
}
