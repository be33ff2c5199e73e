import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { parseHandshake, type UpgradeRequest } from '../../../../services/gateway/admission/handshake.ts';
import { groupHeaders } from '../../../../services/gateway/admission/headers.ts';
import { type FindRoute, type Route, routesRule, watchRoutes } from '../../../../services/gateway/admission/routes.ts';
import { identityHeaders } from '../../../../services/gateway/identity/identity.ts';
import { readSigningKey, signingKeyRule } from '../../../../services/gateway/identity/signing-key.ts';
import { createLogger } from '../../../../shared/process/log.ts';
import { loadSettings } from '../../../../shared/settings/load.ts';
import { CARRIERS } from '../../../../shared/ticket/carriers.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { openWebSocket, Refused } from '../../../support/sockets/web-socket.ts';
import { setRelay, startRawUpstream, switching } from '../upstream/stage.ts';

const log = createLogger('silent', {});

function faultsOf(content: string, env: Record<string, string> = {}): readonly string[] {
  const loaded = loadSettings({ ROUTES_FILE: temporaryFile(content), ...env }, [routesRule]);
  return loaded.ok ? [] : loaded.faults;
}

function routesOf(file: string, env: Record<string, string> = {}) {
  const loaded = loadSettings({ ROUTES_FILE: file, ...env }, [routesRule]);
  if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
  const routes = watchRoutes(loaded.settings, log);
  atEnd(async () => routes.end());
  return routes;
}

const json = (...routes: readonly object[]) => JSON.stringify({ routes });
const upstream = 'ws://127.0.0.1:1';

/** An upgrade to this path that has nothing else wrong with it. */
function upgradeTo(target: string): UpgradeRequest {
  const headers = {
    Host: 'gateway.example',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const grouped = groupHeaders(Object.entries(headers).flat());
  return { method: 'GET', target, httpVersion: '1.1', headers: grouped, earlyBytes: 0, pipelined: false };
}

function routeAt(find: FindRoute, path: string): Route | undefined {
  const route = find(path);
  return route === 'unclear' ? undefined : route;
}

describe('a route beside another that is less strict', () => {
  const guarded = { path: '/admin', upstream, audience: 'admin' };

  test.each([
    ['below it', [guarded, { path: '/', upstream }]],
    ['of the same path in other letters', [guarded, { path: '/ADMIN', upstream }]],
    [
      'with other origins',
      [
        { path: '/Chat', upstream, allowed_origins: ['https://a.example'] },
        { path: '/chat/a', upstream },
      ],
    ],
  ])('%s is warned about, if they have one back end', (_, routes) => {
    const lines: object[] = [];
    const noted = { ...log, warn: (line: object) => void lines.push(line) } as typeof log; // the rest is not called
    const loaded = loadSettings({ ROUTES_FILE: temporaryFile(json(...routes)) }, [routesRule]);
    if (!loaded.ok) throw new Error(loaded.faults.join());
    watchRoutes(loaded.settings, noted).end();

    expect(lines).toEqual([
      expect.objectContaining({ event: 'routes_by_letter_case', path: expect.any(String), other: expect.any(String) }),
    ]);
  });

  test.each([
    [
      'the same rules',
      [
        { path: '/admin', upstream },
        { path: '/', upstream },
      ],
    ],
    ['another back end', [guarded, { path: '/', upstream: 'ws://127.0.0.1:2' }]],
    ['a path of its own', [guarded, { path: '/chat', upstream }]],
  ])('is not with %s', (_, routes) => {
    const lines: object[] = [];
    const noted = { ...log, warn: (line: object) => void lines.push(line) } as typeof log; // the rest is not called
    const loaded = loadSettings({ ROUTES_FILE: temporaryFile(json(...routes)) }, [routesRule]);
    if (!loaded.ok) throw new Error(loaded.faults.join());
    watchRoutes(loaded.settings, noted).end();

    expect(lines).toEqual([]);
  });
});

test.each(['/%61', '/x//y', '/x/../y', '/x/..;/y', '/a%2fb', '/%2e/x', '//x'])(
  'an address with the path %s is a fault of UPSTREAM_URL, GATEWAY_URL and a route',
  (path) => {
    const address = `ws://gateway.example${path}`;
    const named = (setting: string) => {
      const loaded = loadSettings({ [setting]: address }, []);
      return loaded.ok ? [] : loaded.faults.map((fault) => fault.replace(/:.*/s, ''));
    };

    expect(named('UPSTREAM_URL')).toEqual(['UPSTREAM_URL']);
    expect(named('GATEWAY_URL')).toEqual(['GATEWAY_URL']);
    expect(faultsOf(json({ path: '/', upstream: address }))).toEqual([
      expect.stringMatching(/^ROUTES_FILE: routes\.0\.upstream: /),
    ]);
  },
);

describe('a routes file', () => {
  test('finds the longest prefix, by whole segments', () => {
    const rows = ['/', '/chat', '/chat/admin'].map((path) => ({ path, upstream }));
    const { find } = routesOf(temporaryFile(json(...rows)));
    const prefixOf = (path: string) => routeAt(find, path)?.prefix;

    expect(['/', '/chats', '/chat', '/chat/', '/chat/7', '/chat/admin', '/chat/administrators'].map(prefixOf)).toEqual([
      '/',
      '/',
      '/chat',
      '/chat',
      '/chat',
      '/chat/admin',
      '/chat',
    ]);
  });

  test('has no route for what fits none', () => {
    expect(routesOf(temporaryFile(json({ path: '/chat', upstream }))).find('/')).toBeUndefined();
  });

  test('takes from the settings what a route does not say', () => {
    const file = temporaryFile(
      json({ path: '/a', upstream }, { path: '/b', upstream, audience: 'b', idle_seconds: 9 }),
    );
    const { find } = routesOf(file, { GATEWAY_AUDIENCE: 'all', UPSTREAM_IDLE_SECONDS: '5', MAX_MESSAGE_BYTES: '77' });

    expect(find('/a')).toMatchObject({ audience: 'all', idleSeconds: 5, maxMessageBytes: 77 });
    expect(find('/b')).toMatchObject({ audience: 'b', idleSeconds: 9, maxMessageBytes: 77 });
  });

  test('is told every fault at once, with its place', () => {
    const rows = [
      { path: 'chat', upstream: 'http://h' },
      { path: '/a/', upstream, audience: 'ä', allowed_origins: ['null'], max_message_bytes: 0, colour: 1 },
    ];
    const faults = faultsOf(json(...rows), { UPSTREAM_URL: upstream });

    expect(faults.map((fault) => fault.replace(/: (?:must|Too|Unrec|Invalid).*/s, ''))).toEqual([
      'ROUTES_FILE: routes.0.path',
      'ROUTES_FILE: routes.0.upstream',
      'ROUTES_FILE: routes.1.path',
      'ROUTES_FILE: routes.1.audience',
      'ROUTES_FILE: routes.1.allowed_origins.0',
      'ROUTES_FILE: routes.1.max_message_bytes',
      'ROUTES_FILE: routes.1',
      'UPSTREAM_URL',
    ]);
  });

  test.each([
    ['no JSON', '{', 'must be JSON'],
    ['no routes', '{"routes":[]}', 'routes'],
    ['a path twice', json({ path: '/a', upstream }, { path: '/a', upstream }), 'must not have a path twice'],
    ['a path in two spellings', json({ path: '/a@b', upstream }, { path: '/a%40b', upstream }), 'path twice'],
    ['a path with and without parameters', json({ path: '/a', upstream }, { path: '/a;v', upstream }), 'path twice'],
  ])('with %s is refused', (_name, content, fault) => {
    expect(faultsOf(content).join()).toContain(fault);
  });

  const id = 'a'.repeat(22);

  test.each([
    '/a?b',
    '/a#',
    '/a\\b',
    '/a b',
    '/ä',
    '//a',
    '/a/../b',
    '/./a',
    '/a/..',
    '/a/%2E%2e/b',
    '/a%2f..%5cb',
    '/a%2Fb',
    '/a//b',
    '/%61',
    '/a%',
    '/a/;b',
    `/~${id}`,
    `/~${id}/room`,
  ])('is told that no request comes to %s', (path) => {
    expect(parseHandshake(upgradeTo(path), CARRIERS)).not.toMatchObject({ ok: true, handshake: { path } });
    expect(faultsOf(json({ path, upstream }))).toEqual([expect.stringMatching(/^ROUTES_FILE: routes\.0\.path: must /)]);
  });

  test.each([
    '/',
    '/a',
    '/a.b/..c',
    '/a/...',
    '/a%20b',
    '/~',
    `/~${id}x`,
    `/a/~${id}`,
    '/a;b',
    '/!"$&\'()*+,;=:@[]^`{|}~',
  ])('may have %s, to which a request comes', (path) => {
    expect(parseHandshake(upgradeTo(path), CARRIERS)).toMatchObject({ ok: true, handshake: { path } });
    expect(faultsOf(json({ path, upstream }))).toEqual([]);
  });

  test.each([
    ['/admin;v=1', '/admin'],
    ['/admin;/users', '/admin'],
    ['/admin%3Bv=1/users', '/admin'],
    ['/user/ada%40example.org', '/user/ada@example.org'],
    ['/caf%c3%a9', '/caf%C3%A9'],
  ])('does not take %s for a path beside the route %s, as a server that decodes it might', (path, route) => {
    const { find } = routesOf(temporaryFile(json({ path: '/', upstream }, { path: route, upstream })));

    expect(find(path)).toBe('unclear');
    expect(routeAt(find, route)?.prefix).toBe(route);
    expect(routeAt(find, '/other;v=1/a%40b')?.prefix).toBe('/');
  });

  test('is read again on SIGHUP; a bad one changes nothing', async () => {
    const file = temporaryFile(json({ path: '/old', upstream }));
    const { find } = routesOf(file);
    writeFileSync(file, json({ path: '/new', upstream }));
    process.emit('SIGHUP');
    expect(routeAt(find, '/new')?.prefix).toBe('/new');
    expect(find('/old')).toBeUndefined();

    writeFileSync(file, '{');
    process.emit('SIGHUP');
    expect(routeAt(find, '/new')?.prefix).toBe('/new');
  });
});

test('a gateway refuses what no route leads to, and notes it, and counts the connections of a route', async () => {
  const backEnd = await startRawUpstream((socket, accept) => {
    socket.write(switching(accept));
    socket.on('end', () => socket.end());
  });
  const address = `ws://127.0.0.1:${backEnd.port}`;
  const file = temporaryFile(json({ path: '/one', upstream: `${address}/base`, max_connections: 1 }));
  // The file takes the place of the one upstream that setRelay() names.
  const { gateway, issue } = await setRelay(backEnd.port, { UPSTREAM_URL: '', ROUTES_FILE: file });
  const open = async (path: string) => {
    const { id, value } = await issue();
    const opened = await openWebSocket(`ws://127.0.0.1:${gateway.port}${path}?ticket=${value}`).catch((error) => error);
    return { opened, record: await gateway.store.read(id) };
  };

  const unclear = await open('/one;v=1');
  expect(unclear.opened).toMatchObject({ status: 400, code: 'handshake_malformed' });
  expect(unclear.record).toMatchObject({ state: 'issued', lastAttempt: { outcome: 'handshake_malformed' } });

  const nowhere = await open('/two');
  expect(nowhere.opened).toMatchObject({ status: 404, code: 'not_found' });
  expect(nowhere.record).toMatchObject({ state: 'issued', lastAttempt: { outcome: 'not_found' } });

  const first = await open('/one/a');
  expect(first.opened).not.toBeInstanceOf(Refused);
  expect(backEnd.received(0).toString()).toMatch(/^GET \/base\/one\/a HTTP\/1\.1\r\n/);
  expect((await open('/one')).opened).toMatchObject({ status: 429, code: 'connection_limit' });
  first.opened.socket.terminate();
  await until(async () => (await gateway.metric('oncegate_connections_open')) === 0);
  expect((await open('/one')).opened).not.toBeInstanceOf(Refused);
});

describe('a signed identity', () => {
  const identity = {
    ticketId: 'the-ticket',
    subject: 'josé %',
    audience: 'chat',
    claims: '{"role":"admin"}',
    clientClaims: '{"n":1}',
  };
  const keys: ReadonlyArray<readonly [string, () => ReturnType<typeof generateKeyPairSync>]> = [
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['EC P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ];
  const pem = (make: () => ReturnType<typeof generateKeyPairSync>) =>
    String(make().privateKey.export({ type: 'pkcs8', format: 'pem' }));

  test.each(keys)('is verified with the published key: %s', async (_name, make) => {
    const loaded = loadSettings({ IDENTITY_JWT_KEY_FILE: temporaryFile(pem(make)) }, [signingKeyRule]);
    if (!loaded.ok) throw new Error(loaded.faults.join());
    const signing = await readSigningKey(loaded.settings);
    if (signing === undefined) throw new Error('no key');
    const headers = Object.fromEntries(await identityHeaders(identity, signing));
    const keySet = createLocalJWKSet({ keys: [...signing.keySet.keys] });
    const { payload } = await jwtVerify(String(headers['Oncegate-Identity']), keySet, {
      issuer: 'oncegate',
      audience: 'chat',
      typ: 'oncegate-identity+jwt',
    });

    expect(payload).toMatchObject({
      sub: 'josé %',
      jti: 'the-ticket',
      claims: { role: 'admin' },
      client_claims: { n: 1 },
    });
    expect(Number(payload.exp) - Number(payload.iat)).toBe(30);
    expect(JSON.stringify(signing.keySet)).not.toContain('"d"');
  });

  test('is empty without a key, and the subject is percent-encoded', async () => {
    expect(await identityHeaders(identity, undefined)).toEqual([
      ['Oncegate-Subject', 'jos%C3%A9%20%25'],
      ['Oncegate-Ticket-Id', 'the-ticket'],
      ['Oncegate-Claims', 'eyJyb2xlIjoiYWRtaW4ifQ'],
      ['Oncegate-Client-Claims', 'eyJuIjoxfQ'],
      ['Oncegate-Identity', ''],
    ]);
  });

  test.each([
    'nonsense',
    pem(() => generateKeyPairSync('rsa', { modulusLength: 1024 })),
    pem(() => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })),
  ])('needs a key that is fit for it', (content) => {
    const loaded = loadSettings({ IDENTITY_JWT_KEY_FILE: temporaryFile(content) }, [signingKeyRule]);

    expect(loaded.ok ? [] : loaded.faults.join()).toContain('IDENTITY_JWT_KEY_FILE: must be a PEM private key');
  });
});
