import { performance } from 'node:perf_hooks';
import { overloaded } from '../../../shared/http/accept-queue.ts';
import { networkOf, quotasOf } from '../../../shared/http/address.ts';
import { Places } from '../../../shared/limits/places.ts';
import { WindowCounts } from '../../../shared/limits/window-counts.ts';
import { type Refusal, type RefusalCode, rowOf } from '../../../shared/refusals.ts';
import type { Route } from './routes.ts';

export interface LoadLimits {
  /** The most open connections; 0 for no limit. */
  readonly maxConnections: number;
  /** The most upgrades that are being decided at once. */
  readonly maxPendingUpgrades: number;
  /** Failed handshakes of one network in a minute; 0 for no limit. An IPv6 site may have sixteen times as many. */
  readonly maxFailedHandshakesPerMinute: number;
  /** Length of the IPv6 prefix that counts as one network. */
  readonly ipv6PrefixBits: number;
}

/** The most refusals that are noted at the same time while the gateway, or one address, is over its limit. */
const MAX_NOTES_UNDER_LOAD = 50;

/** The most such notes that begin within a second. */
const MAX_NOTES_PER_SECOND_UNDER_LOAD = 50;

/** The slot of an upgrade among those that are being decided. */
export interface Slot {
  deciding: 0 | 1;
  /** 1 if the upgrade arrived before the drain, so that it may be admitted. */
  readonly admissible: 0 | 1;
  /** Frees the place of the upgrade among the failed handshakes of its network. */
  freePlace?: () => void;
}

/** How busy a gateway is, and whether it accepts one more upgrade. */
export class Load {
  readonly #limits: LoadLimits;
  readonly #connections: () => number;
  readonly #failures: WindowCounts;
  readonly #places = new Places();
  readonly #held = new Map<string, number>();
  #deciding = 0;
  #admissible = 0;
  /** Notes that are being written. */
  #notes = 0;
  /** Notes under load that began since `#notedSince`. */
  #notedUnderLoad = 0;
  #notedSince = Number.NEGATIVE_INFINITY;
  #draining = false;

  readonly #now: () => number;
  readonly #isOverloaded: () => boolean;

  /**
   * @param connections how many connections are open now
   * @param now a monotonic clock, ms
   * @param isOverloaded whether the process can take no more: it has few files left to open, or new connections wait too long
   */
  constructor(
    limits: LoadLimits,
    connections: () => number,
    now = () => performance.now(),
    isOverloaded = () => false,
  ) {
    this.#isOverloaded = isOverloaded;
    this.#now = now;
    this.#limits = limits;
    this.#connections = connections;
    this.#failures = new WindowCounts({ now });
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** How many upgrades are being decided that arrived before the drain and may still be admitted. */
  get admissible(): number {
    return this.#admissible;
  }

  /** From now on every upgrade is refused. */
  drain(): void {
    this.#draining = true;
  }

  /** Gives an upgrade a slot. It counts as being decided until {@link Load.leave} is called. */
  enter(): Slot {
    const slot: Slot = { deciding: 1, admissible: this.#draining ? 0 : 1 };
    this.#deciding += slot.deciding;
    this.#admissible += slot.admissible;
    return slot;
  }

  /** Frees the slot of a refused upgrade, which may not be answered yet, for another one. */
  free(slot: Slot): void {
    this.#deciding -= slot.deciding;
    slot.deciding = 0;
  }

  /** An upgrade has been answered. Called once for each upgrade. */
  leave(slot: Slot): void {
    this.free(slot);
    slot.freePlace?.();
    this.#admissible -= slot.admissible;
  }

  /** The refusal of an upgrade from this address, if the load demands one. */
  refusal(address: string, slot: Slot): Refusal | undefined {
    if (this.#draining) return { code: 'draining' };
    const limited = this.#takePlace(address, slot);
    if (limited !== undefined) return limited;
    const { maxPendingUpgrades, maxConnections } = this.#limits;
    if (this.#deciding > maxPendingUpgrades || this.#isOverloaded()) return overloaded();
    // All that are being decided may be admitted, so each counts as a connection.
    if (maxConnections > 0 && this.#connections() + this.#deciding > maxConnections)
      return { code: 'connection_limit' };
    return undefined;
  }

  /** Whether a route has as many connections as it may. */
  isFull({ prefix, maxConnections }: Pick<Route, 'prefix' | 'maxConnections'>): boolean {
    return maxConnections > 0 && (this.#held.get(prefix) ?? 0) >= maxConnections;
  }

  /**
   * Takes a slot among the connections of a route, for an upgrade and the connection that it may become.
   *
   * @returns a function that frees the slot
   */
  hold({ prefix }: Pick<Route, 'prefix'>): () => void {
    this.#held.set(prefix, (this.#held.get(prefix) ?? 0) + 1);
    let held = true;
    return () => {
      if (held) this.#held.set(prefix, (this.#held.get(prefix) ?? 0) - 1);
      held = false;
    };
  }

  /** Counts a failed handshake against its network, if its refusal counts against the client. */
  failed(address: string, code: RefusalCode, slot?: Slot): void {
    slot?.freePlace?.();
    if (rowOf(code).countsAgainstClient === false) return;
    for (const [key] of this.#quotasOf(address)) this.#failures.add(key);
  }

  /**
   * Whether a refusal may be noted now. Notes must not add to an overload, so they are the first thing to be
   * dropped. The slot of the refused upgrade is free by now.
   *
   * @returns a function to call when the note is written; undefined if it may not be written
   */
  mayNote(address: string): (() => void) | undefined {
    const limited = this.#quotasOf(address).some(([key, quota]) => this.#failures.get(key).count >= quota);
    // A note is as much work for the store as a decision.
    const busy = this.#isOverloaded() || this.#deciding + this.#notes >= this.#limits.maxPendingUpgrades;
    if ((busy || limited) && !this.#mayNoteUnderLoad()) return undefined;
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

  /** Takes a place among the failed handshakes that the network may still have. Otherwise there is a refusal. */
  #takePlace(address: string, slot: Slot): Refusal | undefined {
    const quotas = this.#quotasOf(address);
    const full = quotas.filter(([key, quota]) => this.#failures.get(key).count + this.#places.taken(key) >= quota);
    if (full.length === 0) {
      slot.freePlace = this.#places.take(quotas.map(([key]) => key));
      return undefined;
    }
    const resetMs = Math.max(...full.map(([key]) => this.#failures.get(key).resetMs));
    return { code: 'rate_limited', retryAfterSeconds: Math.max(1, Math.ceil(resetMs / 1000)) };
  }

  #quotasOf(address: string): ReturnType<typeof quotasOf> {
    const { maxFailedHandshakesPerMinute, ipv6PrefixBits } = this.#limits;
    if (maxFailedHandshakesPerMinute === 0) return [];
    return quotasOf(networkOf(address, ipv6PrefixBits), maxFailedHandshakesPerMinute);
  }
}
