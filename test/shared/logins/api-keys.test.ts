import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ApiKey,
  findApiKey,
  formatApiKeys,
  isApiKey,
  mintApiKey,
  parseApiKeys,
} from '../../../shared/logins/api-keys.ts';

const NOW = new Date('2026-11-22T07:40:00.000Z');

const mint = (name = 'worker', limits: Pick<ApiKey, 'subjects' | 'audiences'> = {}) => mintApiKey(name, limits, NOW);

describe('a minted key', () => {
  test('is an id and a secret, of which its row has the id and the hash', () => {
    const { value, key } = mint('worker', { subjects: ['chat:*'], audiences: ['chat'] });
    const [, id, secret = ''] = /^ogk_([A-Za-z0-9_][A-Za-z0-9_-]{11})\.([A-Za-z0-9_-]{32})$/.exec(value) ?? [];

    expect(key).toStrictEqual({
      id,
      name: 'worker',
      sha256: createHash('sha256').update(secret).digest('hex'),
      created_at: '2026-11-22T07:40:00.000Z',
      subjects: ['chat:*'],
      audiences: ['chat'],
    });
  });

  test('is another each time', () => {
    const minted = Array.from({ length: 1_000 }, () => mint());

    expect(new Set(minted.map(({ key }) => key.id)).size).toBe(1_000);
    expect(new Set(minted.map(({ value }) => value.slice(-32))).size).toBe(1_000);
  });
});

describe('a value', () => {
  const keys = Array.from({ length: 3 }, () => mint());
  const rows = keys.map(({ key }) => key);

  test('is found as the key that it is', () => {
    for (const { value, key } of keys) expect(findApiKey(value, rows)).toBe(key);
  });

  test('is not found once its row is gone', () => {
    expect(findApiKey(keys[0]?.value ?? '', rows.slice(1))).toBeUndefined();
  });

  test('with any one character changed, left out or added is none', () => {
    const value = keys[1]?.value ?? '';
    const character = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~+/= \n');

    fc.assert(
      fc.property(fc.nat(value.length - 1), character, fc.constantFrom(0, 1), (at, other, removed) => {
        const changed = value.slice(0, at) + other + value.slice(at + removed);
        fc.pre(changed !== value);
        expect(findApiKey(changed, rows)).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.nat(value.length - 1), (at) => {
        expect(findApiKey(value.slice(0, at) + value.slice(at + 1), rows)).toBeUndefined();
      }),
    );
  });

  test.each([
    ['whole', keys[0]?.value ?? '', true],
    ['cut off', keys[0]?.value.slice(0, -1) ?? '', true],
    ['only its beginning', 'ogk_', true],
    ['a JWT', 'eyJhbGciOiJIUzI1NiJ9.e30.x', false],
    ['a ticket', `ogt_${'A'.repeat(22)}.${'B'.repeat(32)}`, false],
    ['in capitals', 'OGK_', false],
    ['nothing', '', false],
  ])('that is %s is meant as a key: %s', (_name, value, meant) => {
    expect(isApiKey(value)).toBe(meant);
  });
});

describe('a keys file', () => {
  const { key } = mint('worker', { subjects: ['*'], audiences: ['a'] });
  const file = (...keys: object[]): string => JSON.stringify({ keys });

  test.each(['', ' \n\t'])('that is empty has no keys: %j', (content) => {
    expect(parseApiKeys(content)).toEqual({ ok: true, keys: [] });
  });

  test('is read as it was written, whatever is in it', () => {
    const subject = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !/\p{C}/u.test(text));
    const audience = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
    const row = fc
      .tuple(subject, fc.option(fc.array(subject)), fc.option(fc.array(audience, { minLength: 1 })))
      .map(
        ([name, subjects, audiences]) =>
          mint(name, { ...(subjects && { subjects }), ...(audiences && { audiences }) }).key,
      );

    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), (keys) => {
        expect(parseApiKeys(formatApiKeys(keys))).toEqual({ ok: true, keys });
      }),
    );
  });

  test.each<readonly [string, string, readonly string[]]>([
    ['no JSON', '{"keys":', ['must be JSON, as `oncegate keys add` writes it']],
    ['null', 'null', ['the file is not valid']],
    ['a list', '[]', ['the file is not valid']],
    ['without keys', '{}', ['keys is not valid']],
    ['keys that are no list', '{"keys":{}}', ['keys is not valid']],
    ['a field that nobody knows', '{"keys":[],"more":1}', ['the file is not valid']],
    ['a right that nobody knows', file({ ...key, admin: true }), ['keys.0 is not valid']],
    ['an id that is too short', file({ ...key, id: 'short' }), ['keys.0.id is not valid']],
    ['a name that cannot be a subject', file({ ...key, name: 'a\nb' }), ['keys.0.name is not valid']],
    ['a hash in capitals', file({ ...key, sha256: 'A'.repeat(64) }), ['keys.0.sha256 is not valid']],
    ['a hash that is too short', file({ ...key, sha256: 'a'.repeat(63) }), ['keys.0.sha256 is not valid']],
    ['no time', file({ ...key, created_at: 'yesterday' }), ['keys.0.created_at is not valid']],
    ['no audience at all', file({ ...key, audiences: [] }), ['keys.0.audiences is not valid']],
    ['an audience that cannot be', file({ ...key, audiences: ['a b'] }), ['keys.0.audiences.0 is not valid']],
    ['an empty pattern', file({ ...key, subjects: ['*', ''] }), ['keys.0.subjects.1 is not valid']],
    ['a pattern of 257 characters', file({ ...key, subjects: ['*'.repeat(257)] }), ['keys.0.subjects.0 is not valid']],
    [
      'several faults',
      file({ ...key, id: 1 }, key, { ...key, name: '', sha256: null }),
      ['keys.0.id is not valid', 'keys.2.name is not valid', 'keys.2.sha256 is not valid'],
    ],
  ])('with %s has each fault named, and nothing of its content', (_name, content, faults) => {
    expect(parseApiKeys(content)).toEqual({ ok: false, faults });
  });
});
