import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Rate } from '../../../../services/ticket/limits/rate.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';

/** Two services that count the same thing in one store. */
function twoOf(quota = 3) {
  const store = new MemoryStore({ retentionMs: 1_000, leaseMs: 1_000, historyPerSubject: 1_000 });
  const asked = vi.spyOn(store, 'count');
  const rate = () => new Rate({ kind: 'failures', quota, store });
  return { store, asked, here: rate(), elsewhere: rate() };
}

describe('a look', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  test('asks the store once a second about a key without hits', async () => {
    const { here, asked } = twoOf();
    for (let look = 0; look < 5; look += 1) expect(await here.look('ada')).toMatchObject({ exceeded: false });
    expect(asked).toHaveBeenCalledTimes(1);

    vi.advanceTimersByTime(1_000);
    await here.look('ada');
    expect(asked).toHaveBeenCalledTimes(2);
  });

  test('asks about each key separately', async () => {
    const { here, asked } = twoOf();
    await here.look('ada');
    await here.look('bob');
    expect(asked).toHaveBeenCalledTimes(2);
  });

  test('sees a hit of its own process at once', async () => {
    const { here } = twoOf(1);
    expect(await here.look('ada')).toMatchObject({ remaining: 1, exceeded: false });
    await here.hit('ada');
    expect(await here.look('ada')).toMatchObject({ remaining: 0, exceeded: true });
  });

  test('sees a hit of another process within a second', async () => {
    const { here, elsewhere } = twoOf(1);
    await here.look('ada');
    await elsewhere.hit('ada');
    vi.advanceTimersByTime(1_000);
    expect(await here.look('ada')).toMatchObject({ exceeded: true });
  });

  test('always asks about a key with hits', async () => {
    const { here, elsewhere, asked } = twoOf(3);
    await elsewhere.hit('ada');
    asked.mockClear();
    for (let look = 0; look < 3; look += 1) expect(await here.look('ada')).toMatchObject({ remaining: 2 });
    expect(asked).toHaveBeenCalledTimes(3);
  });

  test('that is overtaken by a hit is not reused', async () => {
    const { here, store, asked } = twoOf(1);
    const count = store.count.bind(store);
    let answer = () => {};
    // The store reads before the hit, and its answer arrives after the hit.
    asked.mockImplementationOnce(async (request) => {
      const seen = await count(request);
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return seen;
    });
    const look = here.look('ada');
    await here.hit('ada');
    answer();
    expect(await look).toMatchObject({ exceeded: false });

    expect(await here.look('ada')).toMatchObject({ exceeded: true });
  });

  test('that overtakes a hit is not reused', async () => {
    const { here, store, asked } = twoOf(1);
    const count = store.count.bind(store);
    let arrive = () => {};
    // The look reaches the store before the hit does.
    asked.mockImplementationOnce(async (request) => {
      await new Promise<void>((resolve) => {
        arrive = resolve;
      });
      return count(request);
    });
    const hit = here.hit('ada');
    expect(await here.look('ada')).toMatchObject({ exceeded: false });
    arrive();
    await hit;

    expect(await here.look('ada')).toMatchObject({ exceeded: true });
  });
});
