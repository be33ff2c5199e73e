import { describe, expect, test } from 'vitest';
import { CheckQueue } from '../../../../../services/ticket/authenticators/passwords/check-queue.ts';
import { until } from '../../../../support/machine/wait.ts';

/** Checks that the test ends, in the order in which they began. */
function checks() {
  const queue = new CheckQueue();
  const begun: string[] = [];
  const ends: Array<{ readonly resolve: (value: string) => void; readonly reject: (error: Error) => void }> = [];
  return {
    begun,
    ends,
    run: (address: string, name = address): Promise<string | undefined> =>
      queue.run(address, () => {
        begun.push(name);
        return new Promise<string>((resolve, reject) => ends.push({ resolve, reject }));
      }),
  };
}

const addresses = Array.from({ length: 16 }, (_, index) => `192.0.2.${index}`);

describe('the queue of checks', () => {
  test('resolves to the result of the check', async () => {
    const { run, ends } = checks();
    const answer = run('a');
    ends[0]?.resolve('right');

    expect(await answer).toBe('right');
  });

  test('runs two checks of one address at once, and the others in order', async () => {
    const { run, begun, ends } = checks();
    const answers = [1, 2, 3, 4].map((index) => run('a', `check ${index}`));
    expect(begun).toEqual(['check 1', 'check 2']);

    ends[1]?.resolve('two');
    await until(() => begun.length === 3);
    ends[0]?.resolve('one');
    await until(() => begun.length === 4);
    expect(begun).toEqual(['check 1', 'check 2', 'check 3', 'check 4']);
    for (const end of ends) end.resolve('done');
    expect(await Promise.all(answers)).toEqual(['one', 'two', 'done', 'done']);
  });

  test('lets no check wait behind another address', () => {
    const { run, begun } = checks();
    for (let index = 0; index < 32; index += 1) void run('a');
    void run('b');

    expect(begun).toEqual(['a', 'a', 'b']);
  });

  test('holds 32 checks of one address, and one more when one has ended', async () => {
    const { run, begun, ends } = checks();
    for (let index = 0; index < 32; index += 1) void run('a');
    expect(await run('a')).toBeUndefined();

    ends[0]?.resolve('done');
    await until(() => begun.length === 3);
    void run('a', 'late');
    expect(await run('a')).toBeUndefined();
  });

  test('runs at most 32 checks at once for all addresses together', async () => {
    const { run, begun, ends } = checks();
    for (const address of addresses) for (const _ of [1, 2]) void run(address);
    expect(begun).toHaveLength(32);
    expect(await run('one more')).toBeUndefined();

    // A check that ends starts the next one of its address, so only an empty queue admits another address.
    void run(addresses[0] ?? '', 'in line');
    ends[0]?.resolve('done');
    await until(() => begun.at(-1) === 'in line');
    expect(await run('one more')).toBeUndefined();
    const last = ends.length;
    ends[1]?.resolve('done');
    await until(() => {
      void run('one more');
      return ends.length > last;
    });
  });

  test('goes on after a check that failed', async () => {
    const { run, begun, ends } = checks();
    const answers = [1, 2, 3].map((index) => run('a', `check ${index}`));
    ends[0]?.reject(new Error('out of memory'));

    await expect(answers[0]).rejects.toThrow('out of memory');
    await until(() => begun.length === 3);
    for (const end of ends) end.resolve('done');
    expect(await Promise.all(answers.slice(1))).toEqual(['done', 'done']);
    expect(begun).toEqual(['check 1', 'check 2', 'check 3']);
  });

  test('keeps nothing of checks that have ended', async () => {
    const { run, ends } = checks();
    for (let round = 0; round < 100; round += 1) {
      const answer = run('a');
      ends.at(-1)?.resolve('done');
      expect(await answer).toBe('done');
    }
    for (const address of addresses) for (const _ of [1, 2]) void run(address);

    expect(ends).toHaveLength(132);
  });
});
