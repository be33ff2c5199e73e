import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VerifiedPasswords } from '../../../../../services/ticket/authenticators/passwords/verified-passwords.ts';

const HASH = '$scrypt$one';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** A check that the test ends. */
function pending() {
  let settle: (valid: boolean) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const result = new Promise<boolean>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  return { result, settle, fail };
}

describe('a password that was found right', () => {
  test('is cached for ten seconds', async () => {
    const verified = new VerifiedPasswords();
    await verified.add('ada', 'right', HASH, Promise.resolve(true));

    vi.advanceTimersByTime(9_999);
    await expect(verified.find('ada', 'right', HASH)).resolves.toBe(true);
    vi.advanceTimersByTime(1);
    expect(verified.find('ada', 'right', HASH)).toBeUndefined();
  });

  test.each([
    ['another password', 'ada', 'wrong', HASH],
    ['the password in other letters', 'ada', 'Right', HASH],
    ['another user', 'bob', 'right', HASH],
    ['a user whose password was changed', 'ada', 'right', '$scrypt$two'],
    ['a user who is no longer there', 'ada', 'right', undefined],
    ['a name and a password that are the same text together', 'ada"', ',"right', HASH],
  ])('says nothing about %s', async (_name, name, password, hash) => {
    const verified = new VerifiedPasswords();
    await verified.add('ada', 'right', HASH, Promise.resolve(true));

    expect(verified.find(name, password, hash)).toBeUndefined();
  });

  test('is evicted, oldest first, above 1,000 entries', async () => {
    const verified = new VerifiedPasswords();
    for (let index = 0; index < 1_001; index += 1) {
      await verified.add(`user-${index}`, 'right', HASH, Promise.resolve(true));
    }

    expect(verified.find('user-0', 'right', HASH)).toBeUndefined();
    await expect(verified.find('user-1', 'right', HASH)).resolves.toBe(true);
    await expect(verified.find('user-1000', 'right', HASH)).resolves.toBe(true);
  });

  test('is not cached by another process', async () => {
    await new VerifiedPasswords().add('ada', 'right', HASH, Promise.resolve(true));

    expect(new VerifiedPasswords().find('ada', 'right', HASH)).toBeUndefined();
  });
});

describe('a password that was found wrong', () => {
  test('is checked once for all that arrive together, and again afterwards', async () => {
    const verified = new VerifiedPasswords();
    const { result, settle } = pending();
    const first = verified.add('ada', 'wrong', HASH, result);
    const second = verified.find('ada', 'wrong', HASH);
    settle(false);

    expect(await Promise.all([first, second])).toEqual([false, false]);
    expect(verified.find('ada', 'wrong', HASH)).toBeUndefined();
  });

  test('is not cached if the check failed', async () => {
    const verified = new VerifiedPasswords();
    const { result, fail } = pending();
    const first = verified.add('ada', 'right', HASH, result);
    fail(new Error('out of memory'));

    await expect(first).rejects.toThrow('out of memory');
    expect(verified.find('ada', 'right', HASH)).toBeUndefined();
  });
});
