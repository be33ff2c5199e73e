import { describe, expect, test } from 'vitest';
import { isWide } from '../../../shared/http/wide-trust.ts';
import { trustedAddresses } from '../../../shared/settings/values.ts';

const wide = (text: string): boolean => isWide(trustedAddresses.schema.parse(text));
const eighths = Array.from({ length: 20 }, (_, index) => `${index * 10}.0.0.0/8`).join(',');

describe('trust in proxies', () => {
  test.each([
    '0.0.0.0/0',
    '::/0',
    '0.0.0.0/1,128.0.0.0/1',
    '128.0.0.0/1',
    '0.0.0.0/2, 64.0.0.0/2, 10.0.0.0/8',
    '16.0.0.0/4',
    eighths,
    '::/1,8000::/1',
    '2000::/3',
    '2000::/4',
    '2a00::/7',
    '::ffff:0.0.0.0/96',
    '127.0.0.1,::/0',
  ])('is too wide for %s', (text) => {
    expect(wide(text)).toBe(true);
  });

  test.each([
    '127.0.0.1',
    '10.0.0.0/8',
    '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,127.0.0.0/8',
    '::1,fc00::/7,fe80::/10',
    '2001:db8::/32',
    '::ffff:10.0.0.0/104',
    // The published addresses of a large content delivery network.
    '173.245.48.0/20,103.21.244.0/22,104.16.0.0/13,162.158.0.0/15,172.64.0.0/13,2606:4700::/32,2a06:98c0::/29',
  ])('is not too wide for %s', (text) => {
    expect(wide(text)).toBe(false);
  });
});
