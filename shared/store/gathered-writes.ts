import type { Socket } from 'node:net';

/** How long a command may wait for others to go with it, ms. */
const GATHER_MS = 1;

/** Commands that come closer together than this, on average, ms, are worth gathering: four thousand in a second. */
const BUSY_GAP_MS = 0.25;
/** How many commands the average is about. */
const AVERAGE_OF = 8;
/** A longer pause counts as this one, so that it is soon forgotten. */
const MAX_GAP_MS = 1;

/**
 * Lets the commands of a busy time go to Redis together: one system call carries many of them, and one
 * brings many answers back. The event loop takes one new connection in each of its turns, so commands of
 * the same turn are too few to be worth gathering: they wait for up to a millisecond. In quieter times
 * each goes at once.
 *
 * The streams are looked up anew each time, because ioredis replaces its own with every reconnect.
 */
export class GatheredWrites {
  readonly #streams: () => readonly Socket[];
  #gathering = false;
  #lastAt = 0;
  #averageGapMs = MAX_GAP_MS;

  constructor(streams: () => readonly Socket[]) {
    this.#streams = streams;
  }

  /**
   * To be called before a command is written.
   *
   * @param now by the monotonic clock, ms
   */
  gather(now: number): void {
    const gapMs = Math.min(MAX_GAP_MS, now - this.#lastAt);
    this.#lastAt = now;
    this.#averageGapMs += (gapMs - this.#averageGapMs) / AVERAGE_OF;
    if (this.#gathering || this.#averageGapMs > BUSY_GAP_MS) return;
    this.#gathering = true;
    const corked = this.#streams();
    for (const stream of corked) stream.cork();
    setTimeout(() => {
      this.#gathering = false;
      for (const stream of corked) stream.uncork();
    }, GATHER_MS);
  }
}
