import { describe, expect, test } from 'vitest';
import { isListable, isListed, isOwnOrigin } from '../../../shared/ticket/origin-list.ts';

describe('a list of origins may have', () => {
  test.each([
    ...['*', 'self', 'https://example.org', 'http://localhost:3000', 'http://127.0.0.1:8080', 'http://[::1]:3000'],
    ...['https://*.example.org', 'https://*.example.org:8443', 'https://*.a.b.example.org', 'http://*.localhost:3000'],
    ...['https://xn--bcher-kva.example', 'app://bundle', 'chrome-extension://abcdefghijklmnop'],
  ])('%s', (item) => {
    expect(isListable(item)).toBe(true);
  });

  test.each([
    ...['*.example.org', 'example.org', '//example.org', 'https://*', 'http*://example.org', '*://example.org', '**'],
    ...['https://*.', 'https://*.*.example.org', 'https://a.*.example.org', 'https://a*.example.org', 'https://*a.org'],
    ...['https://*example.org', 'https://example.*', 'https://*.example.org/', 'https://*.example.org/path'],
    ...['https://*.Example.org', 'https://Example.org', 'HTTPS://example.org', 'https://*.example.org:443'],
    ...['https://example.org:443', 'http://example.org:80', 'https://example.org:*', 'https://*.example.org:*'],
    ...['https://*.com', 'https://*.org:8443', 'https://*.192.0.2.1', 'https://*.[::1]', 'https://user@example.org'],
    ...['https://ex!ample.org', 'https://example.org?', 'https://example.org#', 'https://bücher.example', 'null', ''],
    ...['Self', 'SELF', "'self'", 'app://*', 'app://*.bundle', 'https://', 'https://https://example.org'],
  ])('not %j, which can match nothing, or anybody', (item) => {
    expect(isListable(item)).toBe(false);
  });
});

describe('a pattern', () => {
  const list = ['https://*.example.org', 'http://*.localhost:3000'];

  test.each([
    'https://a.example.org',
    'https://a-1_b.example.org',
    'https://xn--4ca.example.org',
    'http://a.localhost:3000',
  ])('has %s', (origin) => {
    expect(isListed(origin, list)).toBe(true);
  });

  test.each([
    ...['https://a.b.example.org', 'https://example.org', 'https://.example.org', 'https://*.example.org'],
    ...['http://a.example.org', 'https://a.example.org:8443', 'https://a.example.org.evil.example'],
    ...['https://evil.example/.example.org', 'https://evil.example?.example.org', 'https://evil@x.example.org'],
    ...['https://a.example.org/', 'https://A.example.org', 'https://xexample.org', 'http://a.localhost', 'null', ''],
  ])('does not have %j', (origin) => {
    expect(isListed(origin, list)).toBe(false);
  });
});

test('a word is no origin', () => {
  expect(['self', '*'].filter((word) => isListed(word, ['self', '*']))).toEqual([]);
});

describe('the own host of a request is', () => {
  test.each([
    ['http://chat.example', 'chat.example'],
    ['http://chat.example:80', 'chat.example'],
    ['http://chat.example', 'chat.example:80'],
    ['https://chat.example:443', 'chat.example'],
    ['https://chat.example', 'chat.example:443'],
    ['HTTPS://Chat.Example', 'chat.example'],
    ['http://chat.example:8081', 'CHAT.example:8081'],
    ['http://[::1]:8081', '[::1]:8081'],
    ['http://[::1]', '[::1]:80'],
  ])('%s for %s', (origin, host) => {
    expect(isOwnOrigin(origin, host)).toBe(true);
  });

  test.each([
    ['http://chat.example', 'chat.example:443'],
    ['https://chat.example', 'chat.example:80'],
    ['http://chat.example:443', 'chat.example'],
    ['http://chat.example:8081', 'chat.example'],
    ['http://chat.example', 'chat.example:8081'],
    ['http://evil.example', 'chat.example'],
    ['http://chat.example.evil.example', 'chat.example'],
    ['http://chat.example@evil.example', 'evil.example'],
    ['http://chat.example/', 'chat.example'],
    ['ws://chat.example', 'chat.example'],
    ['chat.example', 'chat.example'],
    ['null', 'null'],
    ['', ''],
  ])('not %j for %j', (origin, host) => {
    expect(isOwnOrigin(origin, host)).toBe(false);
  });

  test('of the scheme that the client used, if that is known', () => {
    expect(isOwnOrigin('https://chat.example', 'chat.example', 'https')).toBe(true);
    expect(isOwnOrigin('http://chat.example', 'chat.example', 'https')).toBe(false);
    expect(isOwnOrigin('https://chat.example', 'chat.example', 'http')).toBe(false);
  });
});
