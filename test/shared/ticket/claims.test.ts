import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { claimsFault, isClaims } from '../../../shared/ticket/claims.ts';

/** Objects or lists in each other, so many levels with the innermost. */
const nested = (levels: number, shell: (inner: unknown) => unknown): unknown =>
  levels === 0 ? 1 : shell(nested(levels - 1, shell));
const inObjects = (levels: number) => nested(levels, (inner) => ({ a: inner }));
const inLists = (levels: number) => ({ a: nested(levels - 1, (inner) => [inner]) });

/** `{"a":"..."}` of so many bytes. */
const sized = (bytes: number, character = 'x'): object => ({
  a: character.repeat((bytes - 8) / Buffer.byteLength(character)),
});

const OBJECT = 'must be a JSON object';
const DEPTH = 'must not be nested deeper than 32 levels';
const KEYS = 'must not have a key named __proto__, constructor, prototype';
const BYTES = 'must be at most 4096 bytes as JSON';

describe('claims', () => {
  test.each<readonly [string, unknown]>([
    ['none', {}],
    ['of every kind', { text: 'a', number: 1.5, yes: true, nothing: null, list: [1, [2]], object: { a: {} } }],
    ['4,096 bytes', sized(4_096)],
    ['4,096 bytes that are 2,048 characters', sized(4_096, 'ä')],
    ['32 levels of objects', inObjects(32)],
    ['32 levels of lists', inLists(32)],
    ['names like those of methods', { toString: 1, hasOwnProperty: 2, __defineGetter__: 3 }],
    ['names in other letters', { __PROTO__: 1, Constructor: 2, Prototype: 3 }],
    ['such names for values', { a: '__proto__', b: ['constructor', 'prototype'] }],
  ])('may be %s', (_name, claims) => {
    expect(claimsFault(claims)).toBeUndefined();
    expect(isClaims(claims)).toBe(true);
  });

  test.each<readonly [string, unknown, string]>([
    ['nothing', undefined, OBJECT],
    ['null', null, OBJECT],
    ['a list', [], OBJECT],
    ['a text', '{}', OBJECT],
    ['a number', 1, OBJECT],
    ['a function', () => {}, OBJECT],
    ['4,097 bytes', sized(4_097), BYTES],
    ['4,098 bytes that are 2,049 characters', sized(4_098, 'ä'), BYTES],
    ['4,096 bytes that JSON has to escape', sized(4_096, '\u0000'), BYTES],
    ['33 levels of objects', inObjects(33), DEPTH],
    ['33 levels of lists', inLists(33), DEPTH],
    ['__proto__', JSON.parse('{"__proto__":{"admin":true}}'), KEYS],
    ['__proto__ deep inside', JSON.parse('{"a":[{"b":{"__proto__":null}}]}'), KEYS],
    ['constructor', { constructor: 1 }, KEYS],
    ['prototype', { a: { prototype: 1 } }, KEYS],
  ])('may not be, or have, %s', (_name, claims, fault) => {
    expect(claimsFault(claims)).toBe(fault);
    expect(isClaims(claims)).toBe(false);
  });

  test('may not have 100,000 levels either', () => {
    expect(claimsFault(JSON.parse(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`))).toBe(DEPTH);
  });

  test('that are good touch no prototype, however carelessly they are merged', () => {
    const isObject = (value: unknown): value is object =>
      (typeof value === 'object' && value !== null) || typeof value === 'function';
    function merge(target: object, source: object): void {
      for (const [key, value] of Object.entries(source)) {
        const inner: unknown = Reflect.get(target, key);
        if (isObject(value) && isObject(inner)) merge(inner, value);
        else Reflect.set(target, key, value);
      }
    }
    const names = fc.constantFrom('__proto__', 'constructor', 'prototype', 'a', 'polluted');
    const trees = fc.object({ key: names, maxDepth: 4, maxKeys: 3, values: [fc.constant(true)] });

    fc.assert(
      fc.property(trees, (tree) => {
        const claims: unknown = JSON.parse(JSON.stringify(tree));
        if (!isClaims(claims)) return;
        merge({ a: {}, polluted: {} }, claims);
        expect('polluted' in {}).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});
