import type { Random } from '../numbers/random.ts';
import { bytesOf, type Draft, manyHeaders, withHeaders, without, withRest, withStart } from './malformed-draft.ts';

/** One way to break a valid request. */
export interface Breakage {
  readonly certain: boolean;
  /** Whether the request may be incomplete, so that the client does not wait for an answer. */
  readonly incomplete?: boolean;
  readonly bodiless?: boolean;
  /** Whether more bytes may follow a request that is answered: a reset can then overtake the answer (RFC 9112 §9.6). */
  readonly overrun?: boolean;
  /** Whether the request itself is valid, and bytes after it make it malformed. */
  readonly behind?: boolean;
  readonly apply: (draft: Draft, random: Random) => Draft | Buffer;
}

/** All ways to break an upgrade request, by name. */
export const breakages: Readonly<Record<string, Breakage>> = {
  // The request line.
  method: certainly((draft, random) =>
    withStart(draft, {
      method: random.pick(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PRI', 'get', 'G E T']),
    }),
  ),
  head: { ...certainly((draft) => withStart(draft, { method: 'HEAD' })), bodiless: true },
  connect: certainly((draft) => withStart(draft, { method: 'CONNECT', target: 'localhost:80' })),
  'other version of HTTP': certainly((draft, random) =>
    withStart(draft, {
      version: random.pick(['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/9', 'http/1.1', 'HTTP', '']),
    }),
  ),
  'absolute-form target': certainly((draft, random) =>
    withStart(draft, {
      target: `${random.pick(['http', 'ws', 'https', 'x'])}://${random.pick(['localhost', 'evil.example:1', ''])}${draft.start[1]}`,
    }),
  ),
  'broken target': certainly((draft, random) =>
    withStart(draft, {
      target: random.pick([
        '*',
        '',
        'room',
        `/${draft.start[1]}`,
        `/\\evil.example${draft.start[1]}`,
        `/a b${draft.start[1]}`,
        `${draft.start[1]}#x`,
        `/\x00${draft.start[1]}`,
        `/\xff${draft.start[1]}`,
        'localhost:443',
        '?ticket=a',
      ]),
    }),
  ),
  'odd target': possibly((draft, random) =>
    withStart(draft, {
      target: random.pick([
        '/%',
        '/%zz',
        '/..',
        '/../../etc/passwd',
        '/;',
        '/~',
        `/~${random.text(21)}`,
        '/?',
        '/??',
        '/?&&&',
        '/?%74icket=a',
        '/?ticket',
        '/?ticket=%00',
        `/?a=${draft.start[1]}`,
      ]),
    }),
  ),
  'huge target': certainly((draft, random) =>
    withStart(draft, { target: `/${random.text(random.integer(17_000, 70_000))}` }),
  ),

  // Headers that may come once, or not at all.
  'no Host': certainly((draft) => without(draft, 'Host')),
  'two Hosts': certainly((draft, random) =>
    withHeaders(draft, [`Host: ${random.pick(['localhost', 'evil.example', ''])}`], random),
  ),
  'broken Host': certainly((draft, random) =>
    withHeaders(without(draft, 'Host'), [`Host: ${random.pick(['', 'a b', 'a\tb', '\xe9', 'x'.repeat(301)])}`], random),
  ),
  'no key': certainly((draft) => without(draft, 'Sec-WebSocket-Key')),
  'two keys': certainly((draft, random) => withHeaders(draft, ['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='], random)),
  'broken key': certainly((draft, random) =>
    withHeaders(
      without(draft, 'Sec-WebSocket-Key'),
      [
        `Sec-WebSocket-Key: ${random.pick(['', 'short', 'AAAAAAAAAAAAAAAAAAAAAA=', 'AAAAAAAAAAAAAAAAAAAA*A==', 'A'.repeat(24), 'x'.repeat(5_000)])}`,
      ],
      random,
    ),
  ),
  'no version': certainly((draft) => without(draft, 'Sec-WebSocket-Version')),
  'another version': certainly((draft, random) =>
    withHeaders(
      without(draft, 'Sec-WebSocket-Version'),
      [`Sec-WebSocket-Version: ${random.pick(['8', '0', '', '013', '13, 8', '14', '-13', '1e1'])}`],
      random,
    ),
  ),
  'two versions': certainly((draft, random) =>
    withHeaders(draft, [`Sec-WebSocket-Version: ${random.pick(['8', '13'])}`], random),
  ),
  'two origins': certainly((draft, random) =>
    withHeaders(without(draft, 'Origin'), ['Origin: http://localhost', 'Origin: http://localhost'], random),
  ),
  'two Authorizations': certainly((draft, random) =>
    withHeaders(
      draft,
      [`Authorization: Ticket ogt_${random.text(22)}.${random.text(32)}`, 'Authorization: Basic YTpi'],
      random,
    ),
  ),
  'another Upgrade': certainly((draft, random) =>
    withHeaders(
      without(draft, 'Upgrade'),
      [`Upgrade: ${random.pick(['h2c', 'TLS/1.0', 'websocket, h2c', 'websocket/13', 'web socket', '', 'websockets'])}`],
      random,
    ),
  ),
  'two Upgrades': certainly((draft, random) =>
    withHeaders(draft, [`Upgrade: ${random.pick(['websocket', 'h2c'])}`], random),
  ),
  'no Upgrade': certainly((draft) => without(draft, 'Upgrade')),
  'no upgrade in Connection': certainly((draft, random) =>
    withHeaders(
      without(draft, 'Connection'),
      random.pick([[], ['Connection: keep-alive'], ['Connection: close'], ['Connection: up-grade']]),
      random,
    ),
  ),
  'broken subprotocols': certainly((draft, random) =>
    withHeaders(
      without(draft, 'Sec-WebSocket-Protocol'),
      [`Sec-WebSocket-Protocol: ${random.pick(['', ',', 'a,,b', 'a, a', 'a b', 'a/b', '"a"', 'a,', 'é'])}`],
      random,
    ),
  ),
  'two tickets': certainly((draft, random) => {
    const value = () => `ogt_${random.text(22)}.${random.text(32)}`;
    return withHeaders(
      without(without(draft, 'Sec-WebSocket-Protocol'), 'Authorization'),
      [`Sec-WebSocket-Protocol: oncegate.ticket.${value()}`, `Authorization: Ticket ${value()}`],
      random,
    );
  }),
  'broken ticket': possibly((draft, random) =>
    withHeaders(
      draft,
      [
        `Authorization: Ticket ${random.pick(['', ' ', 'ogt_', 'ogt_.', `ogt_${random.text(54)}`, `${random.text(22)}.${random.text(32)}`, '\x80'.repeat(59), random.text(5_000)])}`,
      ],
      random,
    ),
  ),

  // Sizes.
  'more than a hundred headers': certainly((draft, random) =>
    withHeaders(draft, manyHeaders(random, random.integer(100, 900)), random),
  ),
  'thousands of headers': certainly((draft, random) =>
    withHeaders(draft, manyHeaders(random, random.integer(2_000, 6_000)), random),
  ),
  'a huge header': certainly((draft, random) =>
    withHeaders(draft, [`X-Huge: ${random.text(8).repeat(random.integer(4_100, 20_000))}`], random),
  ),
  'a huge header name': certainly((draft, random) =>
    withHeaders(draft, [`${random.text(8).repeat(random.integer(4_100, 10_000))}: x`], random),
  ),

  // A body, and whatever else comes before the 101.
  'a body with a length': certainly((draft, random) => {
    const length = random.pick([1, 2, 10, 1_000, 100_000]);
    const body = random.bytes(random.integer(0, Math.min(length, 2_000)));
    return withRest(withHeaders(draft, [`Content-Length: ${length}`], random), body);
  }),
  'a chunked body': certainly((draft, random) =>
    withRest(
      withHeaders(draft, ['Transfer-Encoding: chunked'], random),
      random.pick(['0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n', 'zz\r\n', '', 'ffffffffffffffffff\r\nx']),
    ),
  ),
  'an odd length': {
    ...certainly((draft, random) =>
      withHeaders(
        draft,
        random.pick([
          ['Content-Length: -1'],
          ['Content-Length: +0'],
          ['Content-Length: 0, 0'],
          ['Content-Length: 0', 'Content-Length: 0'],
          ['Content-Length: 0', 'Content-Length: 5'],
          ['Content-Length: 1', 'Transfer-Encoding: chunked'],
          ['Transfer-Encoding: identity'],
          ['Transfer-Encoding: gzip, chunked'],
          ['Content-Length: 99999999999999999999'],
        ]),
        random,
      ),
    ),
    incomplete: true,
  },
  'early frames': behind((draft, random) =>
    withRest(draft, Buffer.concat([Buffer.from([0x81, 0x85]), random.bytes(9)])),
  ),
  'early bytes': behind((draft, random) => withRest(draft, random.bytes(random.pick([1, 2, 100, 70_000])))),
  'two upgrades in a row': behind((draft) => withRest(draft, bytesOf(draft))),
  'an upgrade behind a plain request': overrun((draft, random) =>
    Buffer.concat([
      Buffer.from(`${random.pick(['GET', 'DELETE'])} / HTTP/1.1\r\nHost: localhost\r\n\r\n`),
      bytesOf(draft),
    ]),
  ),
  'an upgrade behind a request with a body': overrun((draft, random) =>
    Buffer.concat([
      Buffer.from(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${random.pick(['5', '500'])}\r\n\r\nhello`),
      bytesOf(draft),
    ]),
  ),
  'a plain request with a large body': overrun((_, random) => {
    const length = random.pick([1_000, 70_000, 300_000]);
    return Buffer.concat([
      Buffer.from(`POST /tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`),
      Buffer.alloc(length, 'x'),
    ]);
  }),
  'an expectation': {
    ...possibly((draft, random) =>
      withHeaders(
        random.chance(0.5) ? without(draft, 'Upgrade') : draft,
        [`Expect: ${random.pick(['100-continue', 'a miracle'])}`],
        random,
      ),
    ),
    incomplete: true,
  },

  // The grammar of HTTP/1.1.
  'no colon': { ...certainly((draft, random) => withHeaders(draft, [random.text(20)], random)), incomplete: true },
  'a broken name': certainly((draft, random) =>
    withHeaders(draft, [`${random.pick(['a b', 'a\x00', 'ü', '(a)', '', 'a\t', 'a '])}: x`], random),
  ),
  'a control character in a value': certainly((draft, random) =>
    withHeaders(draft, [`X-Control: a${random.pick(['\x00', '\x01', '\x08', '\x7f', '\r', '\x0b'])}b`], random),
  ),
  'a folded line': possibly((draft, random) =>
    withHeaders(draft, [`X-Folded: a\r\n${random.pick([' ', '\t'])}b`], random),
  ),
  'a space in front': possibly((draft) => ({
    ...draft,
    headers: draft.headers.map((line, index) => (index === 0 ? ` ${line}` : line)),
  })),
  'other line ends': {
    ...possibly((draft, random) => ({ ...draft, lineEnd: random.pick(['\n', '\r', '\n\r', '\r\r\n', '\x00']) })),
    incomplete: true,
  },
  'empty lines in front': possibly((draft, random) =>
    Buffer.concat([Buffer.from(random.pick(['\r\n', '\n', '\r\n\r\n\r\n', ' '])), bytesOf(draft)]),
  ),

  // Not HTTP/1.1 at all.
  'a preface of HTTP/2': strange(() =>
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00', 'latin1'),
  ),
  'a TLS hello': strange((random) =>
    Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]), random.bytes(500)]),
  ),
  'another protocol': strange((random) =>
    Buffer.from(
      random.pick([
        'SSH-2.0-OpenSSH_9.2\r\n',
        'HTTP/1.1 101 Switching Protocols\r\n\r\n',
        'EHLO localhost\r\n',
        '*1\r\n$4\r\nPING\r\n',
        'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n',
        '\r\n',
        '{}',
      ]),
    ),
  ),
  noise: strange((random) => random.bytes(random.integer(1, 3_000))),
  nothing: strange(() => Buffer.alloc(0)),

  // Damage of any kind, at any place.
  truncated: damage((bytes, random) => bytes.subarray(0, random.integer(0, bytes.length - 1))),
  'flipped bits': damage((bytes, random) => {
    for (let count = random.integer(1, 8); count > 0; count -= 1) {
      const at = random.integer(0, bytes.length - 1);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 7));
    }
    return bytes;
  }),
  'other bytes': damage((bytes, random) => {
    for (let count = random.integer(1, 8); count > 0; count -= 1) {
      bytes[random.integer(0, bytes.length - 1)] = random.pick([0, 9, 10, 13, 32, 35, 37, 44, 58, 92, 127, 128, 255]);
    }
    return bytes;
  }),
  'bytes left out': damage((bytes, random) => {
    const from = random.integer(0, bytes.length - 1);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + random.integer(1, 20))]);
  }),
  'bytes put in': damage((bytes, random) => {
    const at = random.integer(0, bytes.length);
    return Buffer.concat([bytes.subarray(0, at), random.bytes(random.integer(1, 20)), bytes.subarray(at)]);
  }),
  'a part repeated': damage((bytes, random) => {
    const from = random.integer(0, bytes.length - 1);
    const part = bytes.subarray(from, from + random.integer(1, 100));
    return Buffer.concat([bytes.subarray(0, from), part, part, bytes.subarray(from)]);
  }),
  'lines shuffled': damage((bytes, random) => {
    const lines = bytes.toString('latin1').split('\r\n');
    for (let index = lines.length - 1; index > 0; index -= 1) {
      const other = random.integer(0, index);
      [lines[index], lines[other]] = [lines[other] ?? '', lines[index] ?? ''];
    }
    return Buffer.from(lines.join('\r\n'), 'latin1');
  }),
};

type Apply = Breakage['apply'];

function certainly(apply: Apply): Breakage {
  return { certain: true, apply };
}

function overrun(apply: Apply): Breakage {
  return { certain: true, overrun: true, apply };
}

function behind(apply: Apply): Breakage {
  return { certain: true, behind: true, apply };
}

/** A server may accept it by RFC 9112, or only the ticket becomes invalid. */
function possibly(apply: Apply): Breakage {
  return { certain: false, apply };
}

function strange(make: (random: Random) => Buffer): Breakage {
  return { certain: true, incomplete: true, apply: (_, random) => make(random) };
}

function damage(apply: (bytes: Buffer, random: Random) => Buffer): Breakage {
  return { certain: false, incomplete: true, overrun: true, apply: (draft, random) => apply(bytesOf(draft), random) };
}
