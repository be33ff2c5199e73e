import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitsPattern } from '../../../shared/ticket/pattern.ts';

describe('a pattern', () => {
  test.each([
    ['ada', 'ada', true],
    ['ada', 'Ada', false],
    ['ada', 'ad', false],
    ['ada', 'adab', false],
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything\nat all', true],
    ['**', '', true],
    ['chat:*', 'chat:', true],
    ['chat:*', 'chat:ada', true],
    ['chat:*', 'chat', false],
    ['chat:*', 'xchat:ada', false],
    ['*@example.org', 'ada@example.org', true],
    ['*@example.org', '@example.org', true],
    ['*@example.org', 'ada@example.org.evil', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['ab*ba', 'aba', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a-b-c', true],
    ['a*b*c', 'acb', false],
    ['a*bc*c', 'abc', false],
    ['*a*', 'bab', true],
    ['*ab*ab*', 'ab', false],
    ['*ab*ab*', 'aab-abb', true],
    ['a.c', 'abc', false],
    ['[a-z]', 'b', false],
    ['a?', 'ab', false],
    ['a\\*', 'a*', false],
    ['*', '*', true],
  ])('%j fits %j: %s', (pattern, value, fits) => {
    expect(fitsPattern(value, pattern)).toBe(fits);
  });

  test('is fitted by whatever the regular expression of the same meaning matches, and by nothing else', () => {
    const few = fc.string({ unit: fc.constantFrom('a', 'b', '.', '\n'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '*'), maxLength: 8 });
    const asRegExp = (text: string): RegExp =>
      new RegExp(
        `^${text
          .split('*')
          .map((part) => part.replaceAll('.', '\\.'))
          .join('[^]*')}$`,
      );

    fc.assert(
      fc.property(few, pattern, (value, text) => {
        expect(fitsPattern(value, text)).toBe(asRegExp(text).test(value));
      }),
      { numRuns: 5_000 },
    );
  });

  test('is fitted by its own pieces with anything between them', () => {
    const piece = fc.string().map((text) => text.replaceAll('*', ''));

    fc.assert(
      fc.property(fc.array(fc.tuple(piece, fc.string())), piece, (pieces, end) => {
        const value = pieces.map(([kept, between]) => kept + between).join('') + end;
        const pattern = pieces.map(([kept]) => `${kept}*`).join('') + end;
        expect(fitsPattern(value, pattern)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test('cannot be made to hang', () => {
    const value = 'a'.repeat(100_000);

    expect(fitsPattern(value, `${'*a'.repeat(1_000)}b`)).toBe(false);
    expect(fitsPattern(value, `${'*a'.repeat(1_000)}*`)).toBe(true);
  });
});
