import type { StoreOptions, TicketStore } from '../../../../shared/store/store.ts';

/** What the contract suite needs beside the store itself. */
export interface Harness {
  /** An empty store, which is closed at the end of the test. Both times are a minute by default. */
  createStore(options?: Partial<StoreOptions>): Promise<TicketStore>;
  /** Lets at least that many ms pass by the store's own clock. */
  advance(ms: number): Promise<void>;
  /** The store's own clock, Unix ms. */
  now(): Promise<number>;
  /** Everything that is stored of a ticket and its subject: if two are equal, nothing was written in between. */
  snapshot(store: TicketStore, id: string): Promise<unknown>;
  /** Resolves when the gateway receives commands. */
  listening(store: TicketStore, gatewayId: string): Promise<void>;
}

export const DEFAULTS: StoreOptions = { retentionMs: 60_000, leaseMs: 60_000, historyPerSubject: 1_000 };

/** Less than what any deadline of {@link inTime} leaves, ms. */
const SLACK_MS = 50;

/**
 * Runs a test whose deadlines must not pass before it lets them. If it fails after time has passed by itself, as on
 * a busy machine, it runs again.
 */
export async function inTime(harness: () => Harness, run: (harness: () => Harness) => Promise<void>): Promise<void> {
  for (;;) {
    const started = await harness().now();
    let advancedMs = 0;
    const advance = (ms: number): Promise<void> => {
      advancedMs += ms;
      return harness().advance(ms);
    };
    try {
      await run(() => ({ ...harness(), advance }));
      return;
    } catch (error) {
      if ((await harness().now()) - started - advancedMs <= SLACK_MS) throw error;
    }
  }
}
