import { generateKeyPairSync } from 'node:crypto';
import { connect } from 'oncegate/client';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { CARRIERS, carrierRow } from '../../shared/ticket/carriers.ts';
import { BELIEVED } from '../support/hostile/proxy-headers.ts';
import { bearer } from '../support/logins/bearer.ts';
import { temporaryFile } from '../support/machine/temporary-file.ts';
import { until } from '../support/machine/wait.ts';
import { recordInRedis } from '../support/services/fleet.ts';
import type { IssuedTicket } from '../support/services/services.ts';
import { RawClient } from '../support/sockets/raw-client.ts';
import { upgradeLines } from '../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';
import type { Arrival } from './back-end.ts';
import { type Mode, modesHere } from './modes.ts';
import { type Site, startSite } from './site.ts';

const IDENTITY = [
  ...['Oncegate-Subject', 'Oncegate-Ticket-Id', 'Oncegate-Claims'],
  ...['Oncegate-Client-Claims', 'Oncegate-Identity'],
];

let site: Site;

beforeAll(async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = temporaryFile(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  site = await startSite({ IDENTITY_JWT_KEY_FILE: key });
});

/** The headers that reached the back end, under any name that it might read as this one. */
function headersLike({ rawHeaders }: Arrival, name: string): string[][] {
  const canonical = (text: string): string =>
    text
      .trim()
      .toLowerCase()
      .replaceAll(/[^0-9a-z]/g, '-');
  return rawHeaders.flatMap((field, index) =>
    index % 2 === 0 && canonical(field) === name ? [[field, rawHeaders[index + 1] ?? '']] : [],
  );
}

const lowerCase = (text: string): string => text.toLowerCase();

const valueIn = (arrival: Arrival, name: string): string | undefined => headersLike(arrival, name)[0]?.[1];

describe.each(modesHere)('$name', (mode: Mode) => {
  /** Opens a connection, with a ticket in the query unless the options say otherwise. Resolves with what the back end saw. */
  async function open(path: string, options: { protocols?: string[]; headers?: Record<string, string> } = {}) {
    const before = site.backEnd.arrivals.length;
    const client = await openWebSocket(`ws://127.0.0.1:${site.proxyOf(mode).port}${path}`, options);
    await until(() => client.messages.length > 0, { what: 'the greeting' });
    const arrivals = site.backEnd.arrivals.slice(before);
    expect(arrivals).toHaveLength(1);
    const [arrival = { url: '', rawHeaders: [] }] = arrivals;
    expect(JSON.stringify(arrival)).not.toContain('ogt_');
    return { client, arrival };
  }

  test('tells the back end who connects, and for what, without the ticket', async () => {
    const { id, ticket } = await site.issue({ path: '/room/7', claims: { role: 'admin' } }, 'ada lovelace', {
      role: 'editor',
    });

    const { client, arrival } = await open(`/~${id}/room/7?a=%20b%2F&ticket=${ticket}&c={d}&e`);

    expect(arrival.url).toBe('/room/7?a=%20b%2F&c={d}&e');
    expect(client.messages).toEqual(['hello, ada%20lovelace']);
    expect(headersLike(arrival, 'oncegate-subject').map(([, value]) => value)).toEqual(['ada%20lovelace']);
    expect(valueIn(arrival, 'oncegate-ticket-id')).toBe(id);
    const claimsIn = (name: string) => JSON.parse(Buffer.from(valueIn(arrival, name) ?? '', 'base64url').toString());
    expect(claimsIn('oncegate-claims')).toEqual({ role: 'editor' });
    expect(claimsIn('oncegate-client-claims')).toEqual({ role: 'admin' });
    expect(valueIn(arrival, 'oncegate-identity')).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    client.socket.send('ping');
    await until(() => client.messages[1] === 'ping');
  });

  test('removes the ticket from the subprotocols, and selects one if the back end selects none', async () => {
    const { protocols } = await site.issue();

    const { client, arrival } = await open('/', { protocols: [...protocols] });

    expect(client.socket.protocol).toBe('oncegate.v1');
    expect(headersLike(arrival, 'sec-websocket-protocol')).toEqual([]);
  });

  test("passes on the application's subprotocols and the choice of the back end", async () => {
    const { protocols } = await site.issue();

    const { client, arrival } = await open('/', { protocols: [...protocols, 'news', 'chat'] });

    expect(client.socket.protocol).toBe('chat');
    expect(valueIn(arrival, 'sec-websocket-protocol')?.replaceAll(' ', '')).toBe('news,chat');
  });

  test.each(CARRIERS)('takes the ticket out of the carrier %s', async (carrier) => {
    const { header, write } = carrierRow(carrier);
    const { ticket, protocols } = await site.issue();
    const carried = write(ticket);

    // What it has opened shows that no ticket reached the back end.
    if (header === undefined) await open(`/?${carried}`);
    else if (header === 'sec-websocket-protocol') await open('/', { protocols: [...protocols] });
    else await open('/', { headers: { [header]: carried } });
  });

  test('removes an Authorization header that carried the ticket, and no other', async () => {
    const first = await site.issue();
    const second = await site.issue();

    const withTicket = await open('/', { headers: { Authorization: `Ticket ${first.ticket}` } });
    const withToken = await open(`/?ticket=${second.ticket}`, { headers: { Authorization: 'Bearer of-the-back-end' } });

    expect(headersLike(withTicket.arrival, 'authorization')).toEqual([]);
    expect(valueIn(withToken.arrival, 'authorization')).toBe('Bearer of-the-back-end');
  });

  test('passes on the largest possible identity', async () => {
    const claims = { text: 'x'.repeat(4_096 - '{"text":""}'.length) };
    const { ticket } = await site.issue({ claims }, '\u{1f511}'.repeat(128), claims);

    const { arrival } = await open(`/?ticket=${ticket}&q=${'y'.repeat(4_000)}`);

    expect(valueIn(arrival, 'oncegate-subject')).toBe('%F0%9F%94%91'.repeat(128));
    for (const name of ['oncegate-claims', 'oncegate-client-claims']) {
      expect(valueIn(arrival, name)).toHaveLength(Math.ceil((4_096 * 4) / 3));
    }
    expect(arrival.url).toHaveLength('/?q='.length + 4_000);
  });

  test('lets the client library connect, or get the reason of a refusal', async () => {
    const { port } = site.proxyOf(mode);
    const authorization = await bearer('grace');
    const options = {
      WebSocket,
      headers: { Authorization: authorization },
      tickets: async () => {
        const headers = { Authorization: authorization, 'Content-Type': 'application/json' };
        const response = await fetch(`http://127.0.0.1:${port}/tickets`, {
          method: 'POST',
          headers,
          body: '{"path":"/a"}',
        });
        return { ...((await response.json()) as object as IssuedTicket), url: `ws://127.0.0.1:${port}` };
      },
      records: `http://127.0.0.1:${port}/tickets`,
    };

    const socket = await connect({ ...options, path: '/a' });
    socket.close();

    await expect(connect({ ...options, path: '/b' })).rejects.toMatchObject({ code: 'path_refused' });
  });

  const forgeries: ReadonlyArray<readonly [name: string, lines: readonly string[]]> = [
    ['in lower case', ['oncegate-subject: root']],
    ['in upper case', ['ONCEGATE-SUBJECT: root']],
    ['with underscores', ['Oncegate_Subject: root', 'oncegate_ticket_id: root', 'ONCEGATE_CLAIMS: root']],
    ['with underscores for client claims', ['Oncegate_Client_Claims: root', 'Oncegate-Client_Claims: root']],
    ['with one underscore of two', ['Oncegate-Ticket_Id: root', 'Oncegate_Ticket-Id: root']],
    [
      'with other characters for hyphens',
      ['Oncegate.Subject: root', 'oncegate~ticket~id: root', "ONCEGATE'CLAIMS: root"],
    ],
    ['with several of them', ['Oncegate-Ticket.Id: root', 'Oncegate_Ticket~Id: root', 'oncegate!ticket-id: root']],
    ['twice', ['Oncegate-Subject: root', 'Oncegate-Subject: root']],
    ['all of them', IDENTITY.map((name) => `${name}: root`)],
    ['empty', ['Oncegate-Subject:']],
    ['named in Connection', [`Connection: ${IDENTITY.join(', ')}`, 'Oncegate-Subject: root']],
    ['named in Connection with underscores', ['Connection: keep-alive, oncegate_subject', 'Oncegate_Subject: root']],
  ];

  test.each(forgeries)('removes an identity that a client sends %s', async (_, lines) => {
    const { id, ticket } = await site.issue({}, 'mallory');
    const before = site.backEnd.arrivals.length;
    const request = upgradeLines({ target: '/mine', ticket, carrier: 'query', headers: { Host: '127.0.0.1' } });

    await refusedOrOpen(mode, [...request, ...lines]);

    const [arrival, ...more] = site.backEnd.arrivals.slice(before);
    expect(more).toEqual([]);
    if (arrival === undefined) throw new Error('it did not arrive');
    expect(arrival.url).toBe('/mine');
    expect(JSON.stringify(arrival)).not.toContain('root');
    expect(headersLike(arrival, 'oncegate-subject')).toEqual([
      [expect.stringMatching(/^oncegate-subject$/i), 'mallory'],
    ]);
    expect(headersLike(arrival, 'oncegate-ticket-id')).toEqual([[expect.anything(), id]]);
    expect(headersLike(arrival, 'oncegate-claims')).toEqual([[expect.anything(), 'e30']]);
    expect(headersLike(arrival, 'oncegate-client-claims')).toEqual([[expect.anything(), 'e30']]);
    expect(headersLike(arrival, 'oncegate-identity')).toHaveLength(1);
  });

  const addresses: ReadonlyArray<readonly [name: string, lines: readonly string[]]> = [
    ['as proxies write it', ['X-Forwarded-For: ADDRESS', 'X-Real-IP: ADDRESS', 'Forwarded: for=ADDRESS']],
    [
      'in other letters',
      ['x-forwarded-for: ADDRESS', 'X-REAL-IP: ADDRESS', 'X-Real-Ip: ADDRESS', 'FORWARDED: for=ADDRESS'],
    ],
    ['with underscores', ['X_Forwarded_For: ADDRESS', 'x_forwarded_for: ADDRESS', 'X_Real_IP: ADDRESS']],
    [
      'with one underscore of two',
      ['X_Forwarded-For: ADDRESS', 'X-Forwarded_For: ADDRESS', 'X_Real-IP: ADDRESS', 'x-real_ip: ADDRESS'],
    ],
    [
      'with other characters for hyphens',
      ['X.Forwarded.For: ADDRESS', 'x~forwarded-for: ADDRESS', 'X~Real-IP: ADDRESS'],
    ],
    [
      'as a host and a scheme',
      ['X_Forwarded_Host: ADDRESS', 'X-Forwarded-Host: ADDRESS', 'x-forwarded_proto: ADDRESS'],
    ],
    ['named in Connection', ['Connection: X-Forwarded-For, X-Real-IP, X-Forwarded-Host', 'X-Forwarded-For: ADDRESS']],
  ];

  test.each(addresses)('removes an address that a client sends %s', async (_, lines) => {
    const { id, ticket } = await site.issue();
    const before = site.backEnd.arrivals.length;
    const request = upgradeLines({ target: '/', ticket, carrier: 'query', headers: { Host: 'chat.example' } });

    await refusedOrOpen(mode, [...request, ...lines.map((line) => line.replace('ADDRESS', '198.51.100.1'))]);

    const [arrival, ...more] = site.backEnd.arrivals.slice(before);
    expect(more).toEqual([]);
    if (arrival === undefined) throw new Error('it did not arrive');
    expect(JSON.stringify(arrival)).not.toContain('198.51.100.1');
    const told = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'].map((name) =>
      headersLike(arrival, name).map(([, value]) => value),
    );
    expect(told).toEqual([['127.0.0.1'], ['chat.example'], ['http']]);
    expect((await recordInRedis(site.redis, id)).last_attempt_address).toBe('127.0.0.1');
  });

  test('has one Connection of its own, whatever that of the client names', async () => {
    const named = ['Connection: Oncegate-Subject', 'Connection: X-Forwarded-For, oncegate_claims'];
    const { ticket } = await site.issue();
    const before = site.backEnd.arrivals.length;

    await refusedOrOpen(mode, [...upgradeLines({ target: '/', ticket, headers: { Host: 'chat.example' } }), ...named]);

    const connections = site.backEnd.arrivals.slice(before).map((arrival) => headersLike(arrival, 'connection'));
    expect(connections).toEqual([[[expect.stringMatching(/^connection$/i), expect.stringMatching(/^upgrade$/i)]]]);
  });

  /** Caddy removes some of them only in the spellings with `-` and with `_`. */
  const marks = mode.proxy === 'caddy' && mode.forwardAuth ? ['-', '_'] : ['-', '_', '.', '~'];

  test.each(marks)('removes the headers by which frameworks believe a proxy, with %s', async (mark) => {
    // A proxy has a limit of headers in one request, and so has a gateway.
    const halves = [BELIEVED.slice(0, BELIEVED.length / 2), BELIEVED.slice(BELIEVED.length / 2)];
    for (const names of halves) {
      const { ticket } = await site.issue();
      const before = site.backEnd.arrivals.length;
      const spelt = names.map((name) => name.replaceAll('-', mark));
      const lines = upgradeLines({ target: '/', ticket, carrier: 'query', headers: { Host: 'chat.example' } });

      await refusedOrOpen(mode, [...lines, ...[...spelt, ...spelt.map(lowerCase)].map((name) => `${name}: mallory`)]);

      const [arrival, ...more] = site.backEnd.arrivals.slice(before);
      expect(more).toEqual([]);
      if (arrival === undefined) throw new Error('it did not arrive');
      expect(
        arrival.rawHeaders.flatMap((value, at) => (value.includes('mallory') ? arrival.rawHeaders[at - 1] : [])),
      ).toEqual([]);
    }
  });

  test('removes reserved names, if it can remove by prefix', async () => {
    const { ticket } = await site.issue();

    const { arrival } = await open(`/?ticket=${ticket}`, { headers: { 'Oncegate-Role': 'root' } });

    const passedOn = mode.proxy === 'nginx' && mode.forwardAuth ? ['root'] : [];
    expect(headersLike(arrival, 'oncegate-role').map(([, value]) => value)).toEqual(passedOn);
  });

  const broken: ReadonlyArray<readonly [name: string, lines: readonly string[]]> = [
    ['a space in front of the colon', ['Oncegate-Subject : root']],
    ['a line that goes on', ['X-Other: a', ' Oncegate-Subject: root']],
    ['a bare line feed', ['X-Other: a\nOncegate-Subject: root']],
    ['a carriage return', ['X-Other: a\rOncegate-Subject: root']],
  ];

  test.each(broken)('does not read %s as an identity', async (_, lines) => {
    const { ticket } = await site.issue({}, 'mallory');
    const before = site.backEnd.arrivals.length;

    await refusedOrOpen(mode, [
      ...upgradeLines({ target: '/', ticket, carrier: 'query', headers: { Host: '127.0.0.1' } }),
      ...lines,
    ]);

    // It is refused or removed. If the request arrives at all, the identity is the ticket's.
    for (const arrival of site.backEnd.arrivals.slice(before)) {
      expect(headersLike(arrival, 'oncegate-subject').map(([, value]) => value)).toEqual(['mallory']);
    }
  });

  test('ignores headers of a client that only a gateway may send', async () => {
    const { ticket } = await site.issue();
    const headers = {
      'Oncegate-Uri': '/root',
      'Oncegate-Protocols': 'root',
      'Oncegate-Default-Protocol': 'root',
      'Oncegate-Deny-With': '403',
    };

    const { client, arrival } = await open(`/mine?ticket=${ticket}`, { headers });

    expect(arrival.url).toBe('/mine');
    expect(client.socket.protocol).toBe('');
    expect(headersLike(arrival, 'sec-websocket-protocol')).toEqual([]);
  });

  test('passes on every character of a path and a query unchanged', async () => {
    const { ticket } = await site.issue();
    const target = "/a%20b;c=%E2%82%AC/%7Bx%7D/$y/~z/'(!)*?q=%26&r=+%20{env.HOME}&s=$uri?&t=%7Bpath%7D";

    const { arrival } = await open(`${target}&ticket=${ticket}`);

    expect(arrival.url).toBe(target);
  });

  test('connects to the path that was judged, even if another segment looks like an id', async () => {
    for (const path of [`/~${'a'.repeat(23)}/x`, `/x/~${'a'.repeat(22)}`]) {
      const { ticket } = await site.issue({ path });

      const { arrival } = await open(`${path}?ticket=${ticket}`);

      expect(arrival.url).toBe(path);
    }
  });

  /** Each form of a ticket in a query, also in queries that some parsers reject, and what must be left of it. */
  const queries: ReadonlyArray<readonly [target: string, left: string]> = [
    ['/?ticket=T', '/'],
    ['/a/b/?ticket=T', '/a/b/'],
    ['/?ticket=T&a=1', '/?a=1'],
    ['/?a=1&ticket=T&b', '/?a=1&b'],
    ['/?&&ticket=T&&', '/?&&&'],
    ['/?a=1&%74icket=T', '/?a=1'],
    ['/?a=1&t%69%63%6Be%74=T', '/?a=1'],
    ['/??ticket=T', '/'],
    ['/??%74icket=T&a=1', '/?a=1'],
    ['/?a=1&?ticket=T', '/?a=1'],
    ['/?ticket=T&x=a;b', '/?x=a;b'],
    ['/room?ticket=T&filter=a;b', '/room?filter=a;b'],
    ['/?%74icket=T&x=a;b', '/?x=a;b'],
    ['/?x=%zz&ticket=T', '/?x=%zz'],
    ['/?ticket=T&x=%', '/?x=%'],
    ['/?{&ticket=T&}', '/?{&}'],
  ];

  test.each(queries)('removes the ticket T from %s', async (target, left) => {
    const { ticket } = await site.issue();

    const { arrival } = await open(target.replace('T', ticket));

    expect(arrival.url).toBe(left);
  });

  test('judges the same path that it connects to', async () => {
    const { ticket } = await site.issue({ path: '/public' });
    for (const name of ['X-Original-URI', 'X-Forwarded-Uri', 'Oncegate-Uri']) {
      const before = site.backEnd.arrivals.length;
      const request = upgradeLines({ target: '/secret', ticket, headers: { Host: '127.0.0.1', [name]: '/public' } });

      await refusedOrOpen(mode, request);

      expect(site.backEnd.arrivals.slice(before)).toEqual([]);
    }
  });

  test('writes no ticket value anywhere', async () => {
    const [inQuery, inProtocol] = [await site.issue(), await site.issue()];
    await open(`/?ticket=${inQuery.ticket}`);
    await open('/', { protocols: [...inProtocol.protocols] });
    await until(() => site.proxyOf(mode).output().includes('"GET"'), { what: 'a line in the access log' });

    expect(site.proxyOf(mode).output()).not.toContain('ogt_');
  });

  /** With these, a proxy that removes the text of a ticket from the target would connect to another path. */
  test.each([
    '/ad&ticket=Tmin?a&ticket=T',
    '/adticket=Tmin?ticket=T',
    '/adTmin?ticket=T',
    '/ad%26ticket%3DTmin?a&ticket=T',
    '/ad%26ticket%3d%6fTAILmin?a&ticket=T',
    '/x/.&ticket=T./admin?a&ticket=T',
    '/&ticket=T/evil.example/?a&ticket=T',
  ])('does not connect at all for %s', async (target) => {
    const { id, ticket } = await site.issue();
    const before = site.backEnd.arrivals.length;
    const path = target.replaceAll(/TAIL|T/g, (mark) => (mark === 'T' ? ticket : ticket.slice(1)));

    await refusedOrOpen(mode, upgradeLines({ target: path, headers: { Host: '127.0.0.1' } }));

    expect(site.backEnd.arrivals.slice(before)).toEqual([]);
    expect((await recordInRedis(site.redis, id)).last_attempt_outcome).toBe('handshake_malformed');
  });
});

test.each(modesHere.filter(({ proxy, forwardAuth }) => proxy === 'caddy' && forwardAuth))(
  '$name drops a query in which a ticket would be left',
  async (mode) => {
    const { ticket } = await site.issue();
    const before = site.backEnd.arrivals.length;

    await openWebSocket(`ws://127.0.0.1:${site.proxyOf(mode).port}/room?ticket=${ticket}&x=a;ticket=${ticket}`);

    expect(site.backEnd.arrivals.slice(before).map(({ url }) => url)).toEqual(['/room']);
  },
);

/** Sends a hand-made request, and waits for any answer. */
async function refusedOrOpen(mode: Mode, lines: readonly string[]): Promise<void> {
  const client = await RawClient.send(site.proxyOf(mode).port, `${lines.join('\r\n')}\r\n\r\n`);
  await until(() => client.received.includes('\r\n\r\n'), { what: 'an answer' });
  await client.destroy();
}
