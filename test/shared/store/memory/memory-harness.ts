import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { DEFAULTS, type Harness } from '../contract/harness.ts';

/** In-memory stores with a clock that only the test moves. */
export function createMemoryHarness(): Harness {
  let time = 1_800_000_000_000;
  return {
    createStore: async (options) => new MemoryStore({ ...DEFAULTS, ...options, now: () => time }),
    async advance(ms) {
      time += ms;
    },
    now: async () => time,
    async snapshot(store, id) {
      const record = await store.read(id);
      return { record, list: (await store.list(record?.subject ?? '')).records };
    },
    async listening() {},
  };
}
