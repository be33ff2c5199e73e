/** Checks that run at once, for all addresses together. */
const MAX_RUNNING = 32;

/** Checks that run at once for one address, half of libuv's threads: a flood waits in a line of its own, and nobody else behind it. */
const MAX_RUNNING_PER_ADDRESS = 2;
const MAX_WAITING_PER_ADDRESS = 30;

/** Takes turns at something that costs a core for a good part of a second. */
export class CheckQueue {
  readonly #lines = new Map<string, { running: number; readonly waiting: Array<() => void> }>();
  #running = 0;

  /** Runs a check when it is its turn; undefined where there is no room for one more. */
  async run<T>(address: string, check: () => Promise<T>): Promise<T | undefined> {
    const line = this.#lines.get(address) ?? { running: 0, waiting: [] };
    if (line.running >= MAX_RUNNING_PER_ADDRESS) {
      if (line.waiting.length >= MAX_WAITING_PER_ADDRESS) return undefined;
      await new Promise<void>((resolve) => line.waiting.push(resolve)); // whoever is done hands on its place
    } else {
      if (this.#running >= MAX_RUNNING) return undefined;
      this.#lines.set(address, line);
      line.running += 1;
      this.#running += 1;
    }
    try {
      return await check();
    } finally {
      const next = line.waiting.shift();
      if (next === undefined) {
        line.running -= 1;
        this.#running -= 1;
        if (line.running === 0) this.#lines.delete(address);
      } else {
        next();
      }
    }
  }
}
