import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { clientAddress, isTrustedPeer, proxiedAddress } from '../../../shared/http/client-address.ts';
import { TrustedProxies } from '../../../shared/http/trusted-proxies.ts';

function trust(...entries: readonly string[]): TrustedProxies {
  const trusted = new TrustedProxies();
  for (const entry of entries) expect(trusted.add(entry)).toBe(true);
  return trusted;
}

function requestFrom(peer: string, headers: IncomingMessage['headers']): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: peer });
  const request = new IncomingMessage(socket);
  Object.assign(request.headers, headers);
  return request;
}

const PROXIES = trust('127.0.0.1', '10.0.0.0/8', '2001:db8:ffff::/48');

const SPELLINGS = [
  ['203.0.113.7', '203.0.113.7'],
  ['203.0.113.7:51234', '203.0.113.7'],
  [' 203.0.113.7:1 ', '203.0.113.7'],
  ['"203.0.113.7:51234"', '203.0.113.7'],
  ['203.0.113.7:_port', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
  ['::FFFF:CB00:7107', '203.0.113.7'],
  ['2001:db8::1', '2001:db8::1'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['"[2001:db8::1]"', '2001:db8::1'],
  ['"[2001:DB8::1]:_x"', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
] as const;

const UNREADABLE = [
  'unknown',
  '_hidden',
  '"_SEVKISEK"',
  '203.0.113',
  '[203.0.113.7',
  '203.0.113.7:port',
  '-',
  'example.org',
];

describe('the address of a client behind a trusted proxy', () => {
  test.each(SPELLINGS)('that is named %s is %s', (hop, address) => {
    const forwarded = { 'x-forwarded-for': hop };
    expect(clientAddress(requestFrom('127.0.0.1', forwarded), PROXIES)).toBe(address);
    expect(clientAddress(requestFrom('::ffff:127.0.0.1', forwarded), PROXIES)).toBe(address);
    const chain = { 'x-forwarded-for': `192.0.2.1, ${hop}, 10.1.2.3:80, [2001:db8:ffff::5]:443` };
    expect(clientAddress(requestFrom('127.0.0.1', chain), PROXIES)).toBe(address);
    expect(proxiedAddress(requestFrom('127.0.0.1', { 'x-real-ip': hop }), PROXIES)).toBe(address);
  });

  test.each(SPELLINGS)('that connects itself from %s is the peer', (_hop, address) => {
    expect(clientAddress(requestFrom(address, { 'x-forwarded-for': '192.0.2.1' }), PROXIES)).toBe(address);
    expect(clientAddress(requestFrom(address, {}), undefined)).toBe(address);
  });

  test.each(UNREADABLE)('that is named %s is the proxy that names it', (hop) => {
    const named = (text: string) => clientAddress(requestFrom('127.0.0.1', { 'x-forwarded-for': text }), PROXIES);
    expect(named(hop)).toBe('127.0.0.1');
    expect(named(`192.0.2.1, ${hop}, 10.1.2.3:80`)).toBe('10.1.2.3');
    expect(proxiedAddress(requestFrom('127.0.0.1', { 'x-real-ip': hop }), PROXIES)).toBe('127.0.0.1');
  });
});

describe('a trusted proxy', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1'],
    ['::ffff:10.0.0.0/104', '10.255.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:a00:1', '10.0.0.1'],
    ['2001:DB8:0:0::/32', '2001:db8:1::1'],
    ['[2001:db8::1]', '2001:db8::1'],
  ])('is one of %s, however it is written: %s', (entry, peer) => {
    expect(isTrustedPeer(requestFrom(peer, {}), trust(entry))).toBe(true);
    expect(isTrustedPeer(requestFrom('192.0.2.1', {}), trust(entry))).toBe(false);
    expect(isTrustedPeer(requestFrom('::2', {}), trust(entry))).toBe(false);
  });

  test.each([
    '',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '::ffff:10.0.0.0/95',
    '2001:db8::/129',
    'localhost',
    'unknown',
  ])('is none of %j', (entry) => {
    expect(new TrustedProxies().add(entry)).toBe(false);
  });

  test('that names no address is logged once a minute, and not at length', () => {
    let now = 0;
    const lines: object[] = [];
    const proxies = new TrustedProxies(() => now);
    proxies.add('127.0.0.1');
    const ask = (hop: string) => clientAddress(requestFrom('127.0.0.1', { 'x-forwarded-for': hop }), proxies);
    ask('before there is a log');
    proxies.reportTo({ warn: (line: object) => void lines.push(line) });
    for (const hop of ['unknown', '_hidden', '203.0.113.7']) ask(hop);
    expect(lines).toEqual([{ event: 'client_address_unreadable', setting: 'TRUST_PROXY', hop: 'unknown' }]);
    now = 60_000;
    for (const hop of ['x'.repeat(10_000), 'unknown']) ask(hop);

    expect(lines.slice(1)).toEqual([expect.objectContaining({ hop: 'x'.repeat(64) })]);
  });
});
