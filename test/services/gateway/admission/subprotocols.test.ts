import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseSubprotocol, parseSubprotocols } from '../../../../services/gateway/admission/subprotocols.ts';

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

describe('a list of subprotocols', () => {
  test('that is absent has none', () => {
    expect(parseSubprotocols(undefined)).toEqual([]);
  });

  test.each([
    ['chat', ['chat']],
    ['chat,superchat', ['chat', 'superchat']],
    ['chat, superchat', ['chat', 'superchat']],
    [' \tchat\t ,\tsuperchat ', ['chat', 'superchat']],
    ['chat,Chat', ['chat', 'Chat']],
  ])('%j has its items in their order', (header, protocols) => {
    expect(parseSubprotocols(header)).toEqual(protocols);
  });

  test.each([
    '',
    ' ',
    ',',
    'chat,',
    ',chat',
    'chat,,b',
    'a b',
    'a\u00a0',
    'chat,chat',
    'chat, chat',
    'a=b',
    '"a"',
    'a;b',
    'ä',
  ])('%j is malformed', (header) => {
    expect(parseSubprotocols(header)).toBeNull();
  });

  test('takes every character of a token and no other', () => {
    for (let code = 0; code < 0x180; code += 1) {
      const character = String.fromCharCode(code);
      const expected = TOKEN_CHARACTERS.includes(character) ? [`a${character}b`] : null;
      if (character !== ',')
        expect({ code, parsed: parseSubprotocols(`a${character}b`) }).toEqual({ code, parsed: expected });
    }
  });

  // Quadratic time for any of them is minutes: this test's own time limit is the judge.
  test.each([
    ['between two names', `a${' '.repeat(500_000)}b`, null],
    ['of both kinds between two names', `a${' \t'.repeat(250_000)}b`, null],
    ['and nothing else', ' '.repeat(500_000), null],
    ['around a name', `${' '.repeat(500_000)}a${'\t'.repeat(500_000)}`, ['a']],
  ])('with a long run of blanks %s is read in linear time', (_name, header, protocols) => {
    expect(parseSubprotocols(header)).toEqual(protocols);
  });

  test('is read without an exception, whatever it holds, and only into tokens that are all different', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-c, \t]*$/)), (header) => {
        const protocols = parseSubprotocols(header);
        if (protocols === null) return;
        expect(protocols.length).toBeGreaterThan(0);
        expect(new Set(protocols).size).toBe(protocols.length);
        for (const protocol of protocols) {
          expect(protocol).not.toBe('');
          expect([...protocol].every((character) => TOKEN_CHARACTERS.includes(character))).toBe(true);
        }
      }),
    );
  });

  test('of tokens is read back as it was joined', () => {
    const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS), minLength: 1 });
    const blank = fc.stringMatching(/^[ \t]*$/);
    fc.assert(
      fc.property(fc.uniqueArray(token, { minLength: 1 }), blank, blank, (tokens, before, behind) => {
        expect(parseSubprotocols(tokens.join(`${before},${behind}`))).toEqual(tokens);
      }),
    );
  });
});

describe('the answer', () => {
  test.each([
    [[], undefined],
    [['oncegate.v1'], 'oncegate.v1'],
    [['chat'], 'chat'],
    [['chat', 'oncegate.v1'], 'chat'],
    [['oncegate.v1', 'chat', 'superchat'], 'chat'],
  ])('to %j is %j', (protocols, answer) => {
    expect(chooseSubprotocol(protocols)).toBe(answer);
  });
});
