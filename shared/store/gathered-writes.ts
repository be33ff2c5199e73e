import type { Socket } from 'node:net';

/** How long a command may wait for others to go with it, ms. */
const GATHER_MS = 1;

/** With fewer operations under way a command goes at once: there is nothing to gather, only latency to add. */
const BUSY_FROM = 4;

/**
 * Lets the commands of a busy moment go to Redis together: one system call carries many of them, and one
 * brings many answers back. The event loop takes one new connection in each of its turns, so commands of
 * the same turn are too few to be worth gathering: they wait for up to a millisecond.
 *
 * The streams are looked up anew each time, because ioredis replaces its own with every reconnect.
 */
export class GatheredWrites {
  readonly #streams: () => readonly Socket[];
  #gathering = false;

  constructor(streams: () => readonly Socket[]) {
    this.#streams = streams;
  }

  /**
   * To be called before a command is written.
   *
   * @param underWay how many operations have no answer yet
   */
  gather(underWay: number): void {
    if (this.#gathering || underWay < BUSY_FROM) return;
    this.#gathering = true;
    const corked = this.#streams();
    for (const stream of corked) stream.cork();
    setTimeout(() => {
      this.#gathering = false;
      for (const stream of corked) stream.uncork();
    }, GATHER_MS);
  }
}
