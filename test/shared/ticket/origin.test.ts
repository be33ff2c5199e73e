import { describe, expect, test } from 'vitest';
import { isOrigin, recordedOrigin } from '../../../shared/ticket/origin.ts';

const LONGEST = `https://${`${'a'.repeat(62)}.`.repeat(4)}a:65535`;

describe('what a record keeps of an Origin header', () => {
  test.each(['https://app.example', 'http://[2001:db8::1]:3000', 'capacitor://localhost', 'null', LONGEST])(
    'is an origin, or null: %s',
    (origin) => {
      expect(recordedOrigin(origin)).toBe(origin);
    },
  );

  test.each([
    `https://${'a'.repeat(31_000)}.example`,
    `${'x'.repeat(31_000)}`,
    `app://${'ä'.repeat(200)}`,
    'https://app.example/path',
    'https://app.example evil',
    'HTTPS://APP.EXAMPLE',
    '*',
    'NULL',
    '',
  ])('is nothing of other text: %.40s', (text) => {
    expect(recordedOrigin(text)).toBeUndefined();
    expect(isOrigin(text)).toBe(false);
  });

  test('is at most 300 bytes', () => {
    const schemed = `${'s'.repeat(32)}://${'a'.repeat(253)}:65535`;
    expect(recordedOrigin(schemed)).toBe(schemed);
    expect(Buffer.byteLength(schemed)).toBeLessThanOrEqual(300);
    expect(recordedOrigin(`${schemed}5`)).toBeUndefined();
  });

  test('is nothing where there was none', () => {
    expect(recordedOrigin(undefined)).toBeUndefined();
  });
});
