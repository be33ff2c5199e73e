import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseHandshake, type UpgradeRequest } from '../../../../services/gateway/admission/handshake.ts';
import { groupHeaders } from '../../../../services/gateway/admission/headers.ts';

const VALUE = 'ogt_AbCdEfGhIjKlMnOpQrStUv.abcdefghijklmnopqrstuvwxyz_-0123';
const ALL = ['query', 'subprotocol', 'authorization'] as const;

type Headers = Readonly<Record<string, string | readonly string[] | null>>;

function request(fields: Partial<UpgradeRequest> = {}, headers: Headers = {}): UpgradeRequest {
  const all: Headers = {
    Host: 'chat.example',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const rawHeaders = Object.entries(all).flatMap(([name, value]) =>
    (value === null ? [] : [value].flat()).flatMap((one) => [name, one]),
  );
  const grouped = groupHeaders(rawHeaders);
  const good = { method: 'GET', target: '/', httpVersion: '1.1', headers: grouped, earlyBytes: 0, pipelined: false };
  return { ...good, ...fields };
}

function codeOf(given: UpgradeRequest): string {
  const parsed = parseHandshake(given, ALL);
  return parsed.ok ? 'ok' : parsed.refusal.code;
}

function handshakeOf(given: UpgradeRequest) {
  const parsed = parseHandshake(given, ALL);
  if (!parsed.ok) throw new Error(parsed.refusal.code);
  return parsed.handshake;
}

describe('a handshake', () => {
  test('is read into what it asks for', () => {
    const target = '/~AbCdEfGhIjKlMnOpQrStUv/room/7?a=1&b=?2';
    const headers = {
      Origin: 'https://app.example',
      'Sec-WebSocket-Protocol': [`chat, oncegate.ticket.${VALUE}`, 'oncegate.v1'],
      'Sec-WebSocket-Extensions': ['permessage-deflate; client_max_window_bits', 'x-other'],
    };

    expect(handshakeOf(request({ target }, headers))).toEqual({
      path: '/room/7',
      query: 'a=1&b=?2',
      host: 'chat.example',
      origin: 'https://app.example',
      key: 'dGhlIHNhbXBsZSBub25jZQ==',
      extensions: 'permessage-deflate; client_max_window_bits, x-other',
      protocols: ['chat', 'oncegate.v1'],
      presented: { kind: 'ticket', ticket: { id: VALUE.slice(4, 26), secret: VALUE.slice(27) } },
    });
  });

  test.each([
    ['header names in other letters', {}, { Host: null, hOST: 'chat.example' }],
    ['an upgrade in other letters', {}, { Upgrade: 'WebSocket' }],
    ['a body of no bytes', {}, { 'Content-Length': '0' }],
    ['one Authorization of another scheme', {}, { Authorization: 'Basic YTpi' }],
    ['an empty query', { target: '/?' }, {}],
    ['a path with nearly a ticket', { target: `/${VALUE.slice(0, 26)}/` }, {}],
    ['a target of 16,384 characters', { target: `/${'a'.repeat(16_383)}` }, {}],
    ['100 headers', {}, { X: Array.from({ length: 95 }, String) }],
  ])('with %s is well-formed', (_name, fields, headers) => {
    expect(codeOf(request(fields, headers))).toBe('ok');
  });

  test.each([
    ['without a key', { 'Sec-WebSocket-Key': null }, 'ok'],
    ['without a key and Upgrade', { 'Sec-WebSocket-Key': null, Upgrade: null }, 'ok'],
    ['with an empty key', { 'Sec-WebSocket-Key': '' }, 'handshake_malformed'],
    ['with two keys', { 'Sec-WebSocket-Key': ['a', 'b'] }, 'handshake_malformed'],
    ['without a version', { 'Sec-WebSocket-Key': null, 'Sec-WebSocket-Version': null }, 'handshake_malformed'],
    ['of another version', { 'Sec-WebSocket-Key': null, 'Sec-WebSocket-Version': '8' }, 'upgrade_required'],
    ['to another protocol', { 'Sec-WebSocket-Key': null, Upgrade: 'h2c' }, 'upgrade_required'],
  ])('over HTTP/2, %s, is judged if a proxy asks about it', (_name, headers, code) => {
    expect(codeOf(request({ upgradeTakenOff: true }, headers))).toBe(code);
  });

  test.each([
    ['HTTP/1.0', { httpVersion: '1.0' }, {}],
    ['HTTP/2', { httpVersion: '2.0' }, {}],
    ['an early byte', { earlyBytes: 1 }, {}],
    ['a request in front of it', { pipelined: true }, {}],
    ['101 headers', {}, { X: Array.from({ length: 96 }, String) }],
    ['no Host', {}, { Host: null }],
    ['an empty Host', {}, { Host: '' }],
    ['two Hosts', {}, { Host: ['a', 'a'] }],
    ['a blank in the Host', {}, { Host: 'a b' }],
    ['a Host of 301 characters', {}, { Host: 'a'.repeat(301) }],
    ['a chunked body', {}, { 'Transfer-Encoding': 'chunked' }],
    ['a body', {}, { 'Content-Length': '1' }],
    ['two lengths', {}, { 'Content-Length': ['0', '0'] }],
    ['no Upgrade', {}, { Upgrade: null }],
    ['no version', {}, { 'Sec-WebSocket-Version': null }],
    ['two versions', {}, { 'Sec-WebSocket-Version': ['13', '13'] }],
    ['no key', {}, { 'Sec-WebSocket-Key': null }],
    ['two keys', {}, { 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] }],
    ['a key of 17 bytes', {}, { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZSE=' }],
    ['a key in base64url', {}, { 'Sec-WebSocket-Key': '-_hlIHNhbXBsZSBub25jZQ==' }],
    ['two Origins', {}, { Origin: ['https://a.example', 'https://a.example'] }],
    ['two Authorizations', {}, { Authorization: ['Basic YTpi', 'Basic YTpi'] }],
    ['a broken subprotocol', {}, { 'Sec-WebSocket-Protocol': 'a b' }],
    ['the same subprotocol in two headers', {}, { 'Sec-WebSocket-Protocol': ['a', 'a'] }],
    ['two tickets', { target: `/?ticket=${VALUE}` }, { Authorization: `Ticket ${VALUE}` }],
    ['no target', { target: '' }, {}],
    ['an asterisk', { target: '*' }, {}],
    ['an absolute target', { target: 'http://chat.example/' }, {}],
    ['an authority', { target: 'chat.example:80' }, {}],
    ['a target of 16,385 characters', { target: `/${'a'.repeat(16_384)}` }, {}],
    ['two slashes', { target: '//evil.example' }, {}],
    ['a path that cannot be decoded', { target: '/%' }, {}],
    ['an encoded id segment', { target: '/%7EAbCdEfGhIjKlMnOpQrStUv' }, {}],
    ['a path with two readings', { target: '/x/..;/admin' }, {}],
    ['two readings behind the id segment', { target: '/~AbCdEfGhIjKlMnOpQrStUv/%61dmin' }, {}],
    ['a slash and a backslash', { target: '/\\evil.example' }, {}],
    ['a backslash in the query', { target: '/?\\' }, {}],
    ['a fragment', { target: '/#a' }, {}],
    ['a fragment in the query', { target: '/?a#b' }, {}],
    ['a blank', { target: '/a b' }, {}],
    ['a byte beyond ASCII', { target: '/\u00e9' }, {}],
    ['a control character', { target: '/\u0007' }, {}],
    ['a ticket in the path', { target: `/a${VALUE}b` }, {}],
    ['a ticket in the path, percent-encoded', { target: `/a%26ticket%3D%6fgt%5F${VALUE.slice(4)}` }, {}],
    ['two slashes behind the id segment', { target: '/~AbCdEfGhIjKlMnOpQrStUv//evil.example' }, {}],
  ])('with %s is malformed', (_name, fields, headers) => {
    expect(codeOf(request(fields, headers))).toBe('handshake_malformed');
  });

  test.each(['8', '14', '013', '13, 8', ' 13', 'x', ''])('of the version %j is asked to use 13', (version) => {
    expect(codeOf(request({}, { 'Sec-WebSocket-Version': version }))).toBe('upgrade_required');
  });

  test.each(['h2c', 'websocket, h2c', '', 'websockets'])('for the protocol %j is asked for WebSocket', (protocol) => {
    expect(codeOf(request({}, { Upgrade: protocol }))).toBe('upgrade_required');
  });

  test.each(['POST', 'HEAD', 'OPTIONS', 'get', ''])('by %j is not allowed', (method) => {
    expect(parseHandshake(request({ method }), ALL)).toEqual({
      ok: false,
      refusal: { code: 'method_not_allowed', allow: ['GET'] },
    });
  });

  test.each([
    ['/~AbCdEfGhIjKlMnOpQrStUv', '/'],
    ['/~AbCdEfGhIjKlMnOpQrStUv/', '/'],
    ['/~AbCdEfGhIjKlMnOpQrStUv/a/b', '/a/b'],
    ['/~AbCdEfGhIjKlMnOpQrStUv?a', '/'],
    ['/~AbCdEfGhIjKlMnOpQrStUv/~AbCdEfGhIjKlMnOpQrStUv', '/~AbCdEfGhIjKlMnOpQrStUv'],
    ['/~AbCdEfGhIjKlMnOpQrStU', '/~AbCdEfGhIjKlMnOpQrStU'],
    ['/~AbCdEfGhIjKlMnOpQrStUvW', '/~AbCdEfGhIjKlMnOpQrStUvW'],
    ['/a/~AbCdEfGhIjKlMnOpQrStUv', '/a/~AbCdEfGhIjKlMnOpQrStUv'],
  ])('to %s is for the path %s', (target, path) => {
    expect(handshakeOf(request({ target })).path).toBe(path);
  });

  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
  const name = fc.oneof(
    text,
    fc.constantFrom(
      ...['Host', 'Origin', 'Authorization', 'Sec-WebSocket-Protocol', 'Content-Length', '__proto__', 'Upgrade'],
    ),
  );

  test('is read without an exception, whatever it holds', () => {
    fc.assert(
      fc.property(text, text, fc.array(fc.tuple(name, text)), fc.boolean(), (method, target, pairs, beside) => {
        const good = beside
          ? [...request().headers].flatMap(([of, values]) => values.flatMap((value) => [of, value]))
          : [];
        const headers = groupHeaders([...good, ...pairs.flat()]);
        const given = request({ method: beside ? 'GET' : method, target: beside ? `/${target}` : target, headers });
        const parsed = parseHandshake(given, ALL);
        expect(typeof parsed.ok).toBe('boolean');
      }),
      { numRuns: 2_000 },
    );
  });

  test('that is well-formed never keeps its ticket anywhere but in what was presented', () => {
    const part = fc.oneof(
      fc.stringMatching(/^[a-z%&=?~./-]{0,6}$/),
      fc.constantFrom(`ticket=${VALUE}`, `%74icket=${VALUE}`),
    );
    const list = fc.array(fc.constantFrom('chat', 'oncegate.v1', `oncegate.ticket.${VALUE}`), {
      minLength: 1,
      maxLength: 3,
    });
    const scheme = fc.constantFrom(null, `Ticket ${VALUE}`, 'Basic YTpi');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), list, scheme, (parts, protocols, authorization) => {
        const headers = { 'Sec-WebSocket-Protocol': protocols.join(','), Authorization: authorization };
        const parsed = parseHandshake(request({ target: `/?${parts.join('&')}` }, headers), ALL);
        if (!parsed.ok) return;
        const { presented, ...rest } = parsed.handshake;
        expect(JSON.stringify(rest)).not.toContain('abcdefghijklmnopqrstuvwxyz_-0123');
        expect(new URLSearchParams(rest.query).has('ticket')).toBe(false);
        const carried = parts.some((one) => one.includes(VALUE)) || protocols.length !== rest.protocols.length;
        expect(presented.kind !== 'missing' || !(carried || authorization?.startsWith('Ticket'))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
