import { describe, expect, test } from 'vitest';
import { canonicalAddress, networkOf, quotasOf } from '../../../shared/http/address.ts';

describe('the canonical spelling of an address', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::', '::'],
    ['::1', '::1'],
  ])('of %s is %s', (written, canonical) => {
    expect(canonicalAddress(written)).toBe(canonical);
    expect(canonicalAddress(canonical)).toBe(canonical);
  });

  test.each([
    '',
    'unknown',
    '_hidden',
    '203.0.113',
    '203.0.113.256',
    '203.0.113.07',
    '2001:db8::1::2',
    '[2001:db8::1]',
  ])('is not given to %j', (written) => {
    expect(canonicalAddress(written)).toBeNull();
  });
});

describe('the network of an address', () => {
  test.each([
    ['203.0.113.7', 64, { key: '203.0.113.7' }],
    ['2001:db8:1:2:3:4:5:6', 64, { key: '2001:db8:1:2::/64', site: '2001:db8:1::/48' }],
    ['2001:db8:1:2::', 64, { key: '2001:db8:1:2::/64', site: '2001:db8:1::/48' }],
    ['2001:db8::1', 64, { key: '2001:db8::/64', site: '2001:db8::/48' }],
    ['2001:db8:1:2ff:3::', 56, { key: '2001:db8:1:200::/56', site: '2001:db8:1::/48' }],
    ['2001:db8:1:2::1', 128, { key: '2001:db8:1:2::1/128', site: '2001:db8:1::/48' }],
    ['2001:db8:1:2::1', 48, { key: '2001:db8:1::/48' }],
    ['2001:db8:1:2::1', 32, { key: '2001:db8::/32' }],
    ['::1', 64, { key: '::/64', site: '::/48' }],
    ['', 64, { key: '' }],
  ] as const)('%s with a prefix of %i bits', (address, bits, network) => {
    expect(networkOf(address, bits)).toEqual(network);
  });

  test('has a limit, and its site sixteen times that', () => {
    expect(quotasOf(networkOf('192.0.2.1', 64), 10)).toEqual([['192.0.2.1', 10]]);
    expect(quotasOf(networkOf('2001:db8::1', 64), 10)).toEqual([
      ['2001:db8::/64', 10],
      ['2001:db8::/48', 160],
    ]);
  });
});
