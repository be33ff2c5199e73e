import { describe, expect, test } from 'vitest';
import { acceptOf, opensWebSocket, parseAnswerHead } from '../../../../services/gateway/upstream/answer-head.ts';
import { requestHead } from '../../../../services/gateway/upstream/request-head.ts';
import { BELIEVED } from '../../../support/hostile/proxy-headers.ts';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const offer = { accept, protocols: ['chat'], extensions: 'permessage-deflate; client_max_window_bits, x-other' };
const good = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Accept: ${accept}`,
];

function opens(lines: readonly string[]): boolean {
  const head = parseAnswerHead(lines.join('\r\n'));
  return head !== null && opensWebSocket(head, offer);
}

const without = (name: string) => good.filter((line) => !line.startsWith(name));

describe('the answer of an upstream', () => {
  test('is accepted as the example of RFC 6455 section 1.3 has it', () => {
    expect(acceptOf(key)).toBe(accept);
    expect(opens(good)).toBe(true);
  });

  test.each([
    [
      'names in other letters',
      good.map((line) => line.replace(/^[^:]+:/, (name) => name.toUpperCase())).with(0, String(good[0])),
    ],
    ['a Connection of several options', [...without('Connection'), 'Connection: keep-alive, upgrade']],
    ['a subprotocol that was offered', [...good, 'Sec-WebSocket-Protocol: chat']],
    ['an extension that was offered', [...good, 'Sec-WebSocket-Extensions: permessage-deflate; x="a, b"']],
  ])('opens a WebSocket with %s', (_name, lines) => {
    expect(opens(lines)).toBe(true);
  });

  test.each([
    ['200', ['HTTP/1.1 200 OK', ...good.slice(1)]],
    ['426', ['HTTP/1.1 426 Upgrade Required', ...good.slice(1)]],
    ['100', ['HTTP/1.1 100 Continue', ...good.slice(1)]],
    ['HTTP/1.0', ['HTTP/1.0 101 Switching Protocols', ...good.slice(1)]],
    ['no Upgrade', without('Upgrade')],
    ['Upgrade: h2c', [...without('Upgrade'), 'Upgrade: h2c']],
    ['two Upgrades', [...good, 'Upgrade: h2c']],
    ['no Connection', without('Connection')],
    ['a Connection without upgrade', [...without('Connection'), 'Connection: keep-alive']],
    ['no Accept', without('Sec')],
    ['the Accept of another key', [...without('Sec'), 'Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=']],
    ['two Accepts', [...good, 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']],
    ['a subprotocol that was not offered', [...good, 'Sec-WebSocket-Protocol: admin']],
    ['two subprotocols', [...good, 'Sec-WebSocket-Protocol: chat', 'Sec-WebSocket-Protocol: chat']],
    ['an extension that was not offered', [...good, 'Sec-WebSocket-Extensions: permessage-deflate, x-mine']],
    ['a folded header', [...good, ' folded']],
    ['a header without a colon', [...good, 'nonsense']],
    ['white space before a colon', [...good, 'X-A : b']],
    ['a bare line feed', [...good, 'X-A: b\nX-B: c']],
    ['a NUL', [...good, 'X-A: b\0']],
    ['a header without a name', [...good, ': b']],
    ['a parameter without its last quote', [...good, 'Sec-WebSocket-Extensions: permessage-deflate; x="a, x-mine']],
  ])('opens nothing with %s', (_name, lines) => {
    expect(opens(lines)).toBe(false);
  });

  test.each([
    ['X-A:b', 'b'],
    ['X-A: \t b \t c\t ', 'b \t c'],
    ['X-A:', ''],
    ['X-A: \t ', ''],
    ['X-A: b:c', 'b:c'],
    ['X-A: \xa0b\xa0', '\xa0b\xa0'],
  ])('of which a header is %j has its value without the blanks around it', (line, value) => {
    expect(parseAnswerHead(`HTTP/1.1 200 OK\r\n${line}`)?.headers).toEqual([['X-A', value]]);
  });

  // Quadratic time would be minutes: the time limit of the test decides.
  test.each([
    ['blanks before a NUL', [...good, `X-A:${' '.repeat(500_000)}\0`]],
    ['blanks between two letters and a NUL', [...good, `X-A: b${' \t'.repeat(250_000)}c\0`]],
    ['a name without a colon', [...good, 'x'.repeat(500_000)]],
    ['escaped quotes', [...good, `Sec-WebSocket-Extensions: x-mine; x="${'\\"'.repeat(500_000)}`]],
  ])('is refused in linear time with many %s', (_name, lines) => {
    expect(opens(lines)).toBe(false);
  });

  test('is compared with the offer in linear time, however long both are', () => {
    const extensions = Array.from({ length: 200_000 }, (_, index) => `x-${index}`).join(',');
    const head = parseAnswerHead([...good, `Sec-WebSocket-Extensions: ${extensions}`].join('\r\n'));

    expect(head !== null && opensWebSocket(head, { ...offer, extensions })).toBe(true);
    expect(head !== null && opensWebSocket(head, { ...offer, extensions: `y; a="${'\\"'.repeat(500_000)}` })).toBe(
      false,
    );
  });
});

const identity = [
  ['Oncegate-Subject', 'ada'],
  ['Oncegate-Ticket-Id', 'id'],
  ['Oncegate-Claims', 'e30'],
  ['Oncegate-Identity', ''],
] as const;

/** The header lines that an upstream gets. */
function linesFor(
  pairs: ReadonlyArray<readonly [string, string]>,
  protocols: readonly string[] = [],
  host?: string,
): string[] {
  const head = requestHead({
    target: '/room?x=1',
    headers: pairs,
    host,
    protocols,
    identity,
    forwarded: { for: '192.0.2.1', proto: 'https', host: 'chat.example' },
  });
  expect(head.endsWith('\r\n\r\n')).toBe(true);
  return head.slice(0, -4).split('\r\n');
}

const handshake = [
  ['Host', 'chat.example'],
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', key],
] as const;

const spellings = ['Oncegate-Subject', 'oncegate-subject', 'ONCEGATE-SUBJECT', 'Oncegate_Subject', 'oncegate_Subject'];

describe('the request to an upstream', () => {
  test('is the client’s, with the identity headers of the gateway', () => {
    expect(linesFor([...handshake, ['Cookie', 'a=b'], ['Authorization', 'Bearer token']], ['chat'])).toEqual([
      'GET /room?x=1 HTTP/1.1',
      'Host: chat.example',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
      'Cookie: a=b',
      'Authorization: Bearer token',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Protocol: chat',
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: chat.example',
      'Oncegate-Subject: ada',
      'Oncegate-Ticket-Id: id',
      'Oncegate-Claims: e30',
      'Oncegate-Identity: ',
    ]);
  });

  test.each([
    ...spellings,
    'Oncegate-Ticket-Id',
    'oncegate_ticket_id',
    'Oncegate_Claims',
    'Oncegate-Identity',
    'Oncegate-Role',
    'oncegate_role_v2',
    'ONCEGATE.ROLE',
    'Oncegate-',
    'X_Forwarded_For',
    'x-forwarded-host',
    'X-Real-IP',
    'Forwarded',
  ])('has no %s of the client’s, however often it was sent', (name) => {
    const lines = linesFor([...handshake, [name, 'mallory'], [name, 'mallory']]);

    expect(lines.filter((line) => line.includes('mallory'))).toEqual([]);
    expect(lines).toContain('Oncegate-Subject: ada');
  });

  test.each(BELIEVED)('has no %s of the client’s, in any spelling', (name) => {
    const spelt = [name.toLowerCase(), name.toUpperCase(), name.replaceAll('-', '_'), name.replace('-', '_')];
    const sent = [name, ...spelt, name.replaceAll('-', '.')].map((each) => [each, 'mallory'] as const);

    expect(linesFor([...handshake, ...sent]).filter((line) => line.includes('mallory'))).toEqual([]);
  });

  test.each([
    ...['Accept-Language', 'Cache-Control', 'Cookie', 'Origin', 'Pragma', 'User-Agent', 'Authorization'],
    ...['Sec-Fetch-Site', 'Sec-CH-UA', 'DNT', 'Priority', 'Traceparent', 'Baggage', 'Sentry-Trace', 'X-Request-Id'],
    ...['X-Api-Key', 'X-CSRF-Token', 'X-Client-Version', 'X-Tenant', 'X-Trip', 'X-Ship-To', 'X-Hostel'],
  ])('has %s as the client sent it', (name) => {
    expect(linesFor([...handshake, [name, 'mine']])).toContain(`${name}: mine`);
  });

  test('has the Host of the route in place of the client’s, who is told of apart', () => {
    const lines = linesFor(handshake, [], 'internal.example:8443');

    expect(lines.filter((line) => /host: /i.test(line))).toEqual([
      'Host: internal.example:8443',
      'X-Forwarded-Host: chat.example',
    ]);
  });

  test.each([['Connection'], ['connection']])(
    'has one Connection of its own, whatever %s of the client’s says',
    (name) => {
      const lines = linesFor([...handshake, [name, 'Oncegate-Subject, X-Forwarded-For'], [name, 'oncegate_claims']]);

      expect(lines.filter((line) => /^connection:/i.test(line))).toEqual(['Connection: Upgrade']);
    },
  );

  test.each(['Cookie', 'X-Trace'])('has no %s that Connection names', (name) => {
    const lines = linesFor([['Connection', `Upgrade, ${name.toLowerCase()}`], ...handshake, [name, 'hop']]);

    expect(lines.filter((line) => line.includes('hop'))).toEqual([]);
  });

  test.each(['Host', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Oncegate-Subject'])(
    'keeps %s, whatever Connection names',
    (name) => {
      const lines = linesFor([['Connection', name], ...handshake]);

      expect(lines.filter((line) => line.startsWith(`${name}: `))).toHaveLength(1);
    },
  );

  test.each([
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Content-Length',
    'Proxy-Authorization',
    'HTTP2-Settings',
    'Expect',
  ])('has no %s', (name) => {
    expect(linesFor([...handshake, [name, 'hop']]).filter((line) => line.includes('hop'))).toEqual([]);
  });
});
