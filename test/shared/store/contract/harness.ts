import type { StoreOptions, TicketStore } from '../../../../shared/store/store.ts';

/** What the contract suite needs of a kind of store, besides the store itself. */
export interface Harness {
  /** A store with nothing in it, ended together with the test. Both times are a minute unless said otherwise. */
  createStore(options?: Partial<StoreOptions>): Promise<TicketStore>;
  /** Lets time pass: by the store's own clock it is at least that many ms later afterwards. */
  advance(ms: number): Promise<void>;
  /** The store's own clock, Unix ms. */
  now(): Promise<number>;
  /** Everything that is kept about a ticket and its subject: two that are equal have nothing written in between. */
  snapshot(store: TicketStore, id: string): Promise<unknown>;
  /** Resolves once what was sent to `listen` is heard. */
  listening(store: TicketStore, gatewayId: string): Promise<void>;
}

export const DEFAULTS: StoreOptions = { retentionMs: 60_000, leaseMs: 60_000 };
