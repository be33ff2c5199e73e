import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { originAllowed } from '../../../../services/gateway/admission/origin-rule.ts';

describe('without a list, an origin', () => {
  test.each([
    ['http://chat.example', 'chat.example'],
    ['https://chat.example', 'chat.example:8081'],
    ['https://chat.example:3000', 'chat.example'],
    ['http://chat.example', 'CHAT.example:80'],
    ['http://127.0.0.1:3000', '127.0.0.1:8081'],
    ['http://[::1]:3000', '[::1]:8081'],
    ['capacitor://chat.example', 'chat.example'],
  ])('%s may connect to %s', (origin, host) => {
    expect(originAllowed(origin, { host }, undefined)).toBe(true);
  });

  test.each([
    ['http://evil.example', 'chat.example'],
    ['http://chat.example.evil.example', 'chat.example'],
    ['http://xchat.example', 'chat.example'],
    ['http://sub.chat.example', 'chat.example'],
    ['http://chat.example@evil.example', 'chat.example'],
    ['http://chat.example/', 'chat.example'],
    ['http://chat.example?', 'chat.example'],
    ['http://chat.example, http://evil.example', 'chat.example'],
    ['HTTP://chat.example', 'chat.example'],
    ['http://Chat.example', 'chat.example'],
    ['//chat.example', 'chat.example'],
    ['chat.example', 'chat.example'],
    ['', ''],
    ['', 'chat.example'],
    ['null', 'null'],
    ['http://', ''],
  ])('%j may not connect to %j', (origin, host) => {
    expect(originAllowed(origin, { host }, undefined)).toBe(false);
  });
});

describe('with a list, an origin', () => {
  const list = ['https://chat.example', 'http://localhost:3000'];

  test.each(list)('%s that is in it may connect, whatever the host', (origin) => {
    expect(originAllowed(origin, { host: 'elsewhere.example' }, list)).toBe(true);
  });

  test.each([
    'http://chat.example',
    'https://chat.example:8443',
    'http://localhost',
    'https://CHAT.example',
    '*',
    'null',
    '',
  ])('%j that is not may not, even that of the host', (origin) => {
    expect(originAllowed(origin, { host: 'chat.example' }, list)).toBe(false);
  });

  test('of every kind but null may connect where the list is *', () => {
    expect(originAllowed('https://anywhere.example', { host: 'chat.example' }, ['*'])).toBe(true);
    expect(originAllowed('null', { host: 'chat.example' }, ['*'])).toBe(false);
    expect(originAllowed('null', { host: 'null' }, ['*', 'null'])).toBe(false);
  });
});

test('a client without an origin is no browser, and passes', () => {
  expect(originAllowed(undefined, { host: 'chat.example' }, undefined)).toBe(true);
  expect(originAllowed(undefined, { host: 'chat.example' }, ['https://chat.example'])).toBe(true);
});

test('no origin throws, and none passes by the host of another', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.webUrl()), (origin) => {
      if (!originAllowed(origin, { host: 'chat.example:8081' }, undefined)) return;
      expect(new URL(origin).hostname).toBe('chat.example');
    }),
    { numRuns: 1_000 },
  );
});
