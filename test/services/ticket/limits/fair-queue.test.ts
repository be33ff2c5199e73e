import { describe, expect, test } from 'vitest';
import { FairQueue, type FairQueueLimits } from '../../../../services/ticket/limits/fair-queue.ts';
import { networkOf } from '../../../../shared/http/address.ts';
import { until } from '../../../support/machine/wait.ts';

const LIMITS: FairQueueLimits = { running: 1, waiting: 64, perNetwork: 32 };

/** Work that the test ends, in the order in which it began. */
function queueOf(limits: Partial<FairQueueLimits> = {}) {
  let now = 0;
  const queue = new FairQueue({ ...LIMITS, ...limits }, () => now);
  const begun: string[] = [];
  const ends: Array<{ readonly resolve: (value: string) => void; readonly reject: (error: Error) => void }> = [];
  const run = (address: string, name = address): Promise<string | undefined> =>
    queue.run(
      networkOf(address, 64),
      () => {
        begun.push(name);
        return new Promise<string>((resolve, reject) => ends.push({ resolve, reject }));
      },
      (result) => result === 'failed',
    );
  /** Ends what runs, and waits until the next begins. */
  async function end(result = 'done'): Promise<void> {
    const count = begun.length;
    ends.at(-1)?.resolve(result);
    await until(() => begun.length > count);
  }
  /** Lets one address fail so often. */
  async function fail(address: string, times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      const answer = run(address, 'failing');
      await until(() => begun.at(-1) === 'failing');
      ends.at(-1)?.resolve('failed');
      await answer;
      begun.length = 0;
    }
  }
  const pass = (ms: number): void => {
    now += ms;
  };
  return { begun, ends, run, end, fail, pass };
}

const begins = (begun: readonly string[], count: number): Promise<unknown> => until(() => begun.length >= count);

describe('a fair queue', () => {
  test('resolves to the result of the work', async () => {
    const { run, begun, ends } = queueOf();
    const answer = run('192.0.2.1');
    await begins(begun, 1);
    ends[0]?.resolve('right');

    expect(await answer).toBe('right');
  });

  test('runs so many at once, and those of one network in their order', async () => {
    const { run, begun, end } = queueOf({ running: 2 });
    for (const name of ['1', '2', '3', '4']) void run('192.0.2.1', name);
    await begins(begun, 2);
    expect(begun).toEqual(['1', '2']);

    await end();
    await end();
    expect(begun).toEqual(['1', '2', '3', '4']);
  });

  test('gives networks turns, whoever came first', async () => {
    const { run, begun, end } = queueOf();
    for (const name of ['a1', 'a2', 'a3', 'a4']) void run('192.0.2.1', name);
    for (const name of ['b1', 'b2']) void run('192.0.2.2', name);
    void run('192.0.2.3', 'c1');
    await begins(begun, 1);
    for (let turn = 0; turn < 6; turn += 1) await end();

    expect(begun).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  });

  test.each([
    ['the addresses of an IPv6 network', ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:3', '2001:DB8:0:0:4::']],
    ['an IPv4 address', ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1']],
  ])('counts %s as one network', async (_name, addresses) => {
    const { run, begun, end } = queueOf();
    for (const address of addresses) void run(address, 'flood');
    void run('192.0.2.9', 'other');
    await begins(begun, 1);
    await end();

    expect(begun).toEqual(['flood', 'other']);
  });

  test('lets those wait longest who have failed most', async () => {
    const { run, begun, end, fail } = queueOf();
    await fail('192.0.2.1', 2);
    await fail('192.0.2.2', 1);
    for (const name of ['running', 'often']) void run('192.0.2.1', name);
    for (const name of ['once', 'once more']) void run('192.0.2.2', name);
    void run('192.0.2.3', 'never');
    await begins(begun, 1);
    for (let turn = 0; turn < 4; turn += 1) await end();

    expect(begun).toEqual(['running', 'never', 'once', 'once more', 'often']);
  });

  test('forgets a failure after a minute', async () => {
    const { run, begun, end, fail, pass } = queueOf();
    await fail('192.0.2.1', 1);
    pass(60_000);
    for (const [address, name] of [
      ['192.0.2.2', 'running'],
      ['192.0.2.1', 'failed long ago'],
      ['192.0.2.3', 'never'],
    ] as const) {
      void run(address, name);
    }
    await begins(begun, 1);
    await end();

    expect(begun).toEqual(['running', 'failed long ago']);
  });

  test('takes sixteen failures anywhere in an IPv6 site for one of each of its networks', async () => {
    const { run, begun, end, fail } = queueOf();
    for (let network = 0; network < 16; network += 1) await fail(`2001:db8:1:${network.toString(16)}::1`, 1);
    void run('192.0.2.1', 'running');
    void run('2001:db8:1:ffff::1', 'site that failed');
    void run('2001:db8:2:ffff::1', 'other site');
    await begins(begun, 1);
    await end();
    await end();

    expect(begun).toEqual(['running', 'other site', 'site that failed']);
  });

  test('holds so many of one network, and one more when one has ended', async () => {
    const { run, begun, end } = queueOf({ perNetwork: 3 });
    for (const name of ['1', '2', '3']) void run('192.0.2.1', name);
    expect(await run('192.0.2.1')).toBeUndefined();

    await begins(begun, 1);
    await end();
    void run('192.0.2.1', 'late');
    expect(await run('192.0.2.1')).toBeUndefined();
  });

  test('refuses what does not fit, for all networks together', async () => {
    const { run } = queueOf({ waiting: 3 });
    for (const host of [1, 2, 3, 4]) void run(`192.0.2.${host}`);

    expect(await run('192.0.2.5')).toBeUndefined();
  });

  test('that is full makes room for who has failed less, at the cost of who has failed most', async () => {
    const { run, begun, end, fail } = queueOf({ waiting: 2 });
    await fail('192.0.2.1', 1);
    await fail('192.0.2.2', 2);
    void run('192.0.2.3', 'running');
    void run('192.0.2.1', 'once');
    const displaced = run('192.0.2.2', 'twice');
    expect(await run('192.0.2.2', 'twice')).toBeUndefined();
    void run('192.0.2.4', 'never');

    expect(await displaced).toBeUndefined();
    await begins(begun, 1);
    await end();
    await end();
    expect(begun).toEqual(['running', 'never', 'once']);
  });

  test('that is full makes room for a newcomer, at the cost of who has most in it', async () => {
    const { run, begun, end } = queueOf({ waiting: 3 });
    void run('192.0.2.1', 'running');
    void run('192.0.2.1', 'first');
    void run('192.0.2.1', 'second');
    const displaced = run('192.0.2.1', 'third');
    void run('192.0.2.2', 'newcomer');

    expect(await displaced).toBeUndefined();
    await begins(begun, 1);
    await end();
    await end();
    expect([...begun].sort()).toEqual(['first', 'newcomer', 'running']);
  });

  test('goes on after work that threw', async () => {
    const { run, begun, ends, end } = queueOf();
    const thrown = run('192.0.2.1', '1');
    for (const name of ['2', '3']) void run('192.0.2.1', name);
    await begins(begun, 1);
    ends[0]?.reject(new Error('out of memory'));

    await expect(thrown).rejects.toThrow('out of memory');
    await begins(begun, 2);
    await end();
    expect(begun).toEqual(['1', '2', '3']);
  });

  test('keeps nothing of work that has ended', async () => {
    const { run, begun, ends } = queueOf({ waiting: 0, perNetwork: 1 });
    for (let round = 1; round <= 100; round += 1) {
      const answer = run('192.0.2.1');
      await begins(begun, round);
      ends.at(-1)?.resolve('done');
      expect(await answer).toBe('done');
    }
  });
});
