/** Checks that run at once, for all addresses together. */
const MAX_RUNNING = 32;

/** Checks that run at once for one address: half of libuv's threads, so that a flood delays only its own address. */
const MAX_RUNNING_PER_ADDRESS = 2;
const MAX_WAITING_PER_ADDRESS = 30;

/** Queues checks that keep a core busy for a good part of a second. Each address has a queue of its own. */
export class CheckQueue {
  readonly #queues = new Map<string, { running: number; readonly waiting: Array<() => void> }>();
  #running = 0;

  /** Runs a check in its turn. Resolves to undefined if the queue is full. */
  async run<T>(address: string, check: () => Promise<T>): Promise<T | undefined> {
    const queue = this.#queues.get(address) ?? { running: 0, waiting: [] };
    if (queue.running >= MAX_RUNNING_PER_ADDRESS) {
      if (queue.waiting.length >= MAX_WAITING_PER_ADDRESS) return undefined;
      await new Promise<void>((resolve) => queue.waiting.push(resolve)); // a check of this address that ends starts it
    } else {
      if (this.#running >= MAX_RUNNING) return undefined;
      this.#queues.set(address, queue);
      queue.running += 1;
      this.#running += 1;
    }
    try {
      return await check();
    } finally {
      const next = queue.waiting.shift();
      if (next === undefined) {
        queue.running -= 1;
        this.#running -= 1;
        if (queue.running === 0) this.#queues.delete(address);
      } else {
        next();
      }
    }
  }
}
