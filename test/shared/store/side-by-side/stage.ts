import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import type { StoreOptions, TicketStore } from '../../../../shared/store/store.ts';
import { until } from '../../../support/machine/wait.ts';

/** Calls a store. It makes the same calls each time, whatever the store. */
type Question<T> = (store: TicketStore) => Promise<T>;

/** What random commands run on. */
export interface Stage {
  readonly leaseMs: number;
  /** Runs one operation. @returns the answer, and when it was decided (Unix ms by the clock of the store) */
  ask<T>(question: Question<T>): Promise<{ readonly answer: T; readonly at: number }>;
  /** Runs any number of operations that write nothing. */
  look<T>(question: Question<T>): Promise<T>;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
}

/** The in-memory store alone, with a clock that only commands move. */
export function memoryStage(options: StoreOptions): Stage {
  let time = 1_800_000_000_000;
  const store = new MemoryStore({ ...options, now: () => time });
  return {
    leaseMs: options.leaseMs,
    ask: async (question) => ({ answer: await question(store), at: time }),
    look: (question) => question(store),
    async pass(ms) {
      time += ms;
    },
  };
}

/** A store on Redis, and when its scripts ran. */
export interface TimedStore {
  readonly store: TicketStore;
  /** When each script ran, Unix ms by the clock of Redis. The reader empties the list. */
  readonly times: number[];
  now(): Promise<number>;
}

/**
 * Two stores side by side. Each question goes to Redis, and then to a store in memory whose clock shows the
 * moment when the script ran. So their answers must be the same, however busy the machine is.
 */
export function pairStage(redis: TimedStore, options: StoreOptions): Stage {
  let clock = 0;
  const memory = new MemoryStore({ ...options, now: () => clock });
  function inMemory<T>(question: Question<T>, at: number): Promise<T> {
    clock = at;
    return question(memory);
  }
  return {
    leaseMs: options.leaseMs,
    async ask(question) {
      redis.times.length = 0;
      const answer = await question(redis.store);
      // Only the last script decides. One that asks for more records has written nothing.
      const at = redis.times.at(-1);
      if (at === undefined) throw new Error('no script ran');
      expect(answer).toStrictEqual(await inMemory(question, at));
      return { answer, at };
    },
    async look(question) {
      for (;;) {
        const from = await redis.now();
        const answer = await question(redis.store);
        const early = await inMemory(question, from);
        const late = await inMemory(question, await redis.now());
        // If a deadline passed meanwhile, only a part of the answer may show it. Then the question is asked again.
        if (!isDeepStrictEqual(early, late)) continue;
        expect(answer).toStrictEqual(early);
        return answer;
      }
    },
    async pass(ms) {
      const goal = (await redis.now()) + ms;
      await until(async () => (await redis.now()) >= goal, { timeoutMs: ms + 60_000, everyMs: 1 });
    },
  };
}
