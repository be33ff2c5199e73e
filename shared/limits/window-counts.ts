export interface WindowCount {
  readonly count: number;
  /** Until the window ends, ms; 0 if nothing was counted. */
  readonly resetMs: number;
}

export interface WindowOptions {
  /** Default: a minute. */
  readonly windowMs?: number;
  /** Above it the oldest window is forgotten. Default: 100,000. */
  readonly maxKeys?: number;
  /** A monotonic clock, ms. */
  readonly now?: () => number;
}

const NOTHING: WindowCount = { count: 0, resetMs: 0 };

/** Counts by key, in memory. The window of a key begins with the first that is counted. */
export class WindowCounts {
  readonly #windowMs: number;
  readonly #maxKeys: number;
  readonly #now: () => number;
  readonly #windows = new Map<string, { readonly count: number; readonly until: number }>();

  constructor({ windowMs = 60_000, maxKeys = 100_000, now = () => performance.now() }: WindowOptions = {}) {
    this.#windowMs = windowMs;
    this.#maxKeys = maxKeys;
    this.#now = now;
  }

  get(key: string): WindowCount {
    const window = this.#windows.get(key);
    const resetMs = window === undefined ? 0 : window.until - this.#now();
    return window === undefined || resetMs <= 0 ? NOTHING : { count: window.count, resetMs };
  }

  /** Counts one more. */
  add(key: string): void {
    const { count, resetMs } = this.get(key);
    this.raise(key, { count: count + 1, resetMs: count === 0 ? this.#windowMs : resetMs });
  }

  /** Takes over what somebody else has counted, unless it is less. */
  raise(key: string, { count, resetMs }: WindowCount): void {
    if (count <= this.get(key).count) return;
    this.#windows.delete(key);
    this.#windows.set(key, { count, until: this.#now() + resetMs });
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > this.#maxKeys && oldest !== undefined) this.#windows.delete(oldest);
  }
}
