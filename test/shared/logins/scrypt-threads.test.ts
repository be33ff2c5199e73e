import { randomBytes, scryptSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { SCRYPT_THREADS, scryptOnThread } from '../../../shared/logins/scrypt-threads.ts';

const salt = randomBytes(16);
const cheap = { N: 16, r: 1, p: 1 };
const dear = { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 };

const derive = (password: string, options: object) => scryptOnThread({ password, salt, length: 32, options });

describe('scrypt on threads of its own', () => {
  test('derives the key that scrypt derives', async () => {
    const passwords = Array.from({ length: 20 }, (_, index) => `pässword ${index}`);
    const keys = await Promise.all(passwords.map((password) => derive(password, cheap)));

    expect(keys).toEqual(passwords.map((password) => scryptSync(password, salt, 32, cheap)));
  });

  test('rejects parameters that scrypt does not take, and goes on', async () => {
    await expect(derive('a', { ...cheap, N: 3 })).rejects.toThrow(/scrypt/i);
    await expect(derive('a', { ...cheap, maxmem: 1 })).rejects.toThrow(/memory/i);

    expect(await derive('a', cheap)).toEqual(scryptSync('a', salt, 32, cheap));
  });

  test('leaves the threads of libuv to others', async () => {
    const ended: string[] = [];
    const ends = (name: string) => () => void ended.push(name);
    const derivations = Array.from({ length: 4 }, () => derive('a', dear).then(ends('scrypt')));
    await readFile(import.meta.filename).then(ends('read'));
    await Promise.all(derivations);

    expect(ended[0]).toBe('read');
  });

  test('leaves a core to everything else, where there is one', () => {
    expect(SCRYPT_THREADS).toBeGreaterThanOrEqual(1);
    expect(SCRYPT_THREADS).toBeLessThanOrEqual(Math.max(1, Math.min(4, availableParallelism() - 1)));
  });
});
