import { NETWORKS_PER_SITE, type Network } from '../../../shared/http/address.ts';
import { WindowCounts } from '../../../shared/limits/window-counts.ts';

export interface FairQueueLimits {
  /** How many run at once, for all networks together. */
  readonly running: number;
  /** How many wait, for all networks together. */
  readonly waiting: number;
  /** How many of one network run or wait. */
  readonly perNetwork: number;
}

/** Requests to one counterpart: an introspection endpoint, the application, its Redis. */
export const COUNTERPART_LIMITS: FairQueueLimits = { running: 64, waiting: 256, perNetwork: 256 };

/** What one network has in the queue. */
interface Line {
  readonly network: Network;
  held: number;
  /** Each is called with whether its turn has come; otherwise it is refused. */
  readonly waiting: Array<(turn: boolean) => void>;
}

/**
 * Queues work that is expensive, or that waits for somebody else, so that no network can keep the others out.
 * Networks take turns, those with fewer failures in the last minute first. If the queue is full, a newcomer
 * displaces the last of a network that has failed more, or that has more in the queue.
 */
export class FairQueue {
  readonly #limits: FairQueueLimits;
  /** In the order of their turns. */
  readonly #lines = new Map<string, Line>();
  readonly #failures: WindowCounts;
  #running = 0;
  #waiting = 0;

  /** @param now a monotonic clock, ms; `performance.now` by default */
  constructor(limits: FairQueueLimits, now?: () => number) {
    this.#limits = limits;
    this.#failures = new WindowCounts(now && { now });
  }

  /**
   * Runs work in its turn.
   *
   * @param failed whether the result counts as a failure of the network
   * @returns undefined if there is no room
   */
  async run<T>(network: Network, work: () => Promise<T>, failed: (result: T) => boolean): Promise<T | undefined> {
    const line = this.#lines.get(network.key) ?? { network, held: 0, waiting: [] };
    if (line.held >= this.#limits.perNetwork) return undefined;
    line.held += 1;
    this.#lines.set(network.key, line);
    try {
      if (!(await this.#turn(line))) return undefined;
      try {
        const result = await work();
        if (failed(result)) this.#countFailure(network);
        return result;
      } finally {
        this.#running -= 1;
        this.#moveToEnd(line);
        this.#startNext();
      }
    } finally {
      line.held -= 1;
      if (line.held === 0) this.#lines.delete(network.key);
    }
  }

  /** Resolves to whether the turn has come: false if there is no room. */
  async #turn(line: Line): Promise<boolean> {
    if (this.#running < this.#limits.running) {
      this.#running += 1;
      return true;
    }
    if (this.#waiting >= this.#limits.waiting && !this.#displaceFor(line)) return false;
    this.#waiting += 1;
    return new Promise((resolve) => line.waiting.push(resolve));
  }

  #startNext(): void {
    let next: Line | undefined;
    for (const line of this.#waitingLines()) {
      if (next === undefined || this.#failuresOf(line) < this.#failuresOf(next)) next = line;
    }
    if (next === undefined) return;
    this.#moveToEnd(next);
    this.#waiting -= 1;
    this.#running += 1;
    next.waiting.shift()?.(true);
  }

  #moveToEnd(line: Line): void {
    this.#lines.delete(line.network.key);
    this.#lines.set(line.network.key, line);
  }

  /** Refuses what waits last, if a newcomer should come before it. */
  #displaceFor(newcomer: Line): boolean {
    let last: Line | undefined;
    for (const line of this.#waitingLines()) {
      if (last === undefined || this.#isBefore(last, line, line.waiting.length)) last = line;
    }
    if (last === undefined || !this.#isBefore(newcomer, last, last.waiting.length - 1)) return false;
    this.#waiting -= 1;
    last.waiting.pop()?.(false);
    return true;
  }

  /** Whether a line has failed less than another one, or as much and has fewer waiting than `waiting`. */
  #isBefore(line: Line, other: Line, waiting: number): boolean {
    const more = this.#failuresOf(other) - this.#failuresOf(line);
    return more > 0 || (more === 0 && line.waiting.length < waiting);
  }

  *#waitingLines(): Generator<Line> {
    for (const line of this.#lines.values()) if (line.waiting.length > 0) yield line;
  }

  #failuresOf({ network: { key, site } }: Line): number {
    const ofSite = site === undefined ? 0 : this.#failures.get(site).count;
    return this.#failures.get(key).count + Math.floor(ofSite / NETWORKS_PER_SITE);
  }

  #countFailure({ key, site }: Network): void {
    this.#failures.add(key);
    if (site !== undefined) this.#failures.add(site);
  }
}
