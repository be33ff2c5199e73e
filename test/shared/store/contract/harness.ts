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

export const DEFAULTS: StoreOptions = { retentionMs: 60_000, leaseMs: 60_000 };
