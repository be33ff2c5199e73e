import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Rate } from '../../../../services/ticket/limits/rate.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';

/** Two services that count the same thing in one store. */
function twoOf(quota = 3) {
  const store = new MemoryStore({ retentionMs: 1_000, leaseMs: 1_000 });
  const asked = vi.spyOn(store, 'count');
  const rate = () => new Rate({ kind: 'failures', quota, store });
  return { store, asked, here: rate(), elsewhere: rate() };
}

describe('a look', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  test('asks the store once a second about a key of which nothing was counted', async () => {
    const { here, asked } = twoOf();
    for (let look = 0; look < 5; look += 1) expect(await here.look('ada')).toMatchObject({ exceeded: false });
    expect(asked).toHaveBeenCalledTimes(1);

    vi.advanceTimersByTime(1_000);
    await here.look('ada');
    expect(asked).toHaveBeenCalledTimes(2);
  });

  test('asks about each key for itself', async () => {
    const { here, asked } = twoOf();
    await here.look('ada');
    await here.look('bob');
    expect(asked).toHaveBeenCalledTimes(2);
  });

  test('sees at once what was counted here', async () => {
    const { here } = twoOf(1);
    expect(await here.look('ada')).toMatchObject({ remaining: 1, exceeded: false });
    await here.hit('ada');
    expect(await here.look('ada')).toMatchObject({ remaining: 0, exceeded: true });
  });

  test('sees within a second what was counted elsewhere', async () => {
    const { here, elsewhere } = twoOf(1);
    await here.look('ada');
    await elsewhere.hit('ada');
    vi.advanceTimersByTime(1_000);
    expect(await here.look('ada')).toMatchObject({ exceeded: true });
  });

  test('always asks about a key of which something was counted', async () => {
    const { here, elsewhere, asked } = twoOf(3);
    await elsewhere.hit('ada');
    asked.mockClear();
    for (let look = 0; look < 3; look += 1) expect(await here.look('ada')).toMatchObject({ remaining: 2 });
    expect(asked).toHaveBeenCalledTimes(3);
  });

  test('that is overtaken by a hit is not remembered', async () => {
    const { here, store, asked } = twoOf(1);
    const count = store.count.bind(store);
    let answer = () => {};
    // The store has looked before it hears of the hit, and its answer comes after that.
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

  test('that overtakes a hit is not remembered', async () => {
    const { here, store, asked } = twoOf(1);
    const count = store.count.bind(store);
    let arrive = () => {};
    // The hit takes its time to the store; the look comes there first.
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
