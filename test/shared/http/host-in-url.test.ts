import { expect, test } from 'vitest';
import { hostInUrl } from '../../../shared/http/host-in-url.ts';

test.each([
  ['127.0.0.1', 'localhost'],
  ['::1', 'localhost'],
  ['0.0.0.0', 'localhost'],
  ['::', 'localhost'],
  ['localhost', 'localhost'],
  ['127.0.0.2', '127.0.0.2'],
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8::7', '[2001:db8::7]'],
  ['chat.internal', 'chat.internal'],
])('who listens on %s is reached at %s', (host, shown) => {
  expect(hostInUrl(host)).toBe(shown);
});
