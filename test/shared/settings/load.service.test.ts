import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Environment, loadSettings, readEnvironment, redisIsNeeded } from '../../../shared/settings/load.ts';
import { settingNames } from '../../../shared/settings/table.ts';
import { temporaryDirectory, temporaryFile } from '../../support/machine/temporary-file.ts';
import { runToEnd } from '../../support/services/services.ts';

/** Every setting, each out of its bounds by as little as can be, with the fault that has to be reported. */
const OUT_OF_BOUNDS: ReadonlyArray<readonly [name: string, value: string, fault: string]> = [
  [
    'REDIS_URL',
    'http://:hunter2@127.0.0.1',
    'must be redis:// or rediss://, then [user:password@]host[:port][/database number], the password percent-encoded',
  ],
  [
    'REDIS_CA_FILE',
    'package.json',
    'must be the path of a readable file of PEM certificates, all of them whole, not "package.json"',
  ],
  ['REDIS_SENTINELS', '127.0.0.1', 'must be host:port, host:port, ..., not "127.0.0.1"'],
  ['REDIS_SENTINEL_NAME', 'a b', 'must be the name of a Sentinel group, not "a b"'],
  ['REDIS_SENTINEL_TLS', 'yes', 'must be true or false, not "yes"'],
  ['REDIS_SENTINEL_USERNAME', 'u'.repeat(257), `must be 1 to 256 characters, not "${'u'.repeat(257)}"`],
  ['REDIS_SENTINEL_PASSWORD', 'hunter2'.repeat(150), 'must be 1 to 1024 characters'],
  ['REDIS_CLUSTER_NODES', 'a:0', 'must be host:port, host:port, ..., not "a:0"'],
  ['REDIS_KEY_PREFIX', 'a{b}', 'must be at most 64 of A-Z a-z 0-9 : . _ -, not "a{b}"'],
  ['REDIS_TIMEOUT_MS', '9', 'must be a whole number from 10 to 60000 (ms), not "9"'],
  ['HOST', 'a/b', 'must be an IP address or host name, not "a/b"'],
  ['ADMIN_HOST', 'a/b', 'must be an IP address or host name, not "a/b"'],
  [
    'TICKET_PORT',
    '65536',
    'must be a whole number from 0 to 65535 (a TCP port; 0 lets the system choose), not "65536"',
  ],
  ['GATEWAY_PORT', '-1', 'must be a whole number from 0 to 65535 (a TCP port; 0 lets the system choose), not "-1"'],
  [
    'TICKET_ADMIN_PORT',
    '80.5',
    'must be a whole number from 0 to 65535 (a TCP port; 0 lets the system choose), not "80.5"',
  ],
  [
    'GATEWAY_ADMIN_PORT',
    '0x50',
    'must be a whole number from 0 to 65535 (a TCP port; 0 lets the system choose), not "0x50"',
  ],
  [
    'GATEWAY_URL',
    'http://a.example',
    'must be a URL that begins with ws:// or wss://, without user, password, query or fragment, and with a path that servers read alike, not "http://a.example"',
  ],
  ['GATEWAY_ID', 'a:b', 'must be 1 to 64 of A-Z a-z 0-9 . _ -, not "a:b"'],
  ['TICKET_CARRIERS', 'query,cookie', 'must be some of query,subprotocol,authorization, not "query,cookie"'],
  ['GATEWAY_AUDIENCE', 'ä', 'must be 1 to 64 of A-Z a-z 0-9 . _ -, not "ä"'],
  [
    'ALLOWED_ORIGINS',
    'https://a.example/',
    'must be origins such as https://example.org, comma-separated, or https://*.example.org for one label, or self, or *, not "https://a.example/"',
  ],
  [
    'ALLOWED_HOSTS',
    'https://a.example',
    'must be hosts, comma-separated, each a host name or an address, with a port or without, not "https://a.example"',
  ],
  ['TICKET_TTL_SECONDS', '301', 'must be a whole number from 1 to 300 (seconds), not "301"'],
  ['TICKET_RETENTION_SECONDS', '86401', 'must be a whole number from 0 to 86400 (seconds), not "86401"'],
  ['HISTORY_PER_SUBJECT', '1001', 'must be a whole number from 0 to 1000, not "1001"'],
  ['MAX_PENDING_PER_SUBJECT', '0', 'must be a whole number from 1 to 10000, not "0"'],
  ['MAX_CONNECTIONS_PER_SUBJECT', '10001', 'must be a whole number from 0 to 10000, not "10001"'],
  ['CONNECTION_LIMIT_POLICY', 'Replace', 'must be one of refuse, replace, not "Replace"'],
  ['MAX_CONNECTIONS', '1e3', 'must be a whole number from 0 to 1000000, not "1e3"'],
  ['MAX_PENDING_UPGRADES', '0', 'must be a whole number from 1 to 1000000, not "0"'],
  ['LISTEN_BACKLOG', '0', 'must be a whole number from 1 to 65535, not "0"'],
  ['OVERLOAD_DELAY_MS', '-1', 'must be a whole number from 0 to 60000 (ms), not "-1"'],
  ['MAX_FAILED_HANDSHAKES_PER_MINUTE', '1000001', 'must be a whole number from 0 to 1000000, not "1000001"'],
  ['MAX_MESSAGE_BYTES', '104857601', 'must be a whole number from 1 to 104857600 (bytes), not "104857601"'],
  ['MAX_SESSION_SECONDS', '0', 'must be a whole number from 1 to 31536000 (seconds), not "0"'],
  ['MAX_SESSION_TOTAL_SECONDS', '31536001', 'must be a whole number from 0 to 31536000 (seconds), not "31536001"'],
  ['HEARTBEAT_SECONDS', '0', 'must be a whole number from 1 to 3600 (seconds), not "0"'],
  ['LEASE_SECONDS', '3601', 'must be a whole number from 1 to 3600 (seconds), not "3601"'],
  ['DRAIN_SECONDS', ' 1', 'must be a whole number from 0 to 3600 (seconds), not " 1"'],
  [
    'UPSTREAM_URL',
    'ws://a.example/?x=1',
    'must be a URL that begins with ws:// or wss://, without user, password, query or fragment, and with a path that servers read alike, not "ws://a.example/?x=1"',
  ],
  ['ROUTES_FILE', '/nowhere/routes', 'must be the path of a readable file in UTF-8, not "/nowhere/routes"'],
  [
    'UPSTREAM_CA_FILE',
    'package.json',
    'must be the path of a readable file of PEM certificates, all of them whole, not "package.json"',
  ],
  ['UPSTREAM_CONNECT_TIMEOUT_MS', '9', 'must be a whole number from 10 to 60000 (ms), not "9"'],
  ['UPSTREAM_HANDSHAKE_TIMEOUT_MS', '60001', 'must be a whole number from 10 to 60000 (ms), not "60001"'],
  ['UPSTREAM_IDLE_SECONDS', '86401', 'must be a whole number from 0 to 86400 (seconds), not "86401"'],
  ['IDENTITY_JWT_KEY_FILE', '/nowhere/key.pem', 'must be the path of a readable file in UTF-8'],
  ['BIND_ADDRESS', 'yes', 'must be true or false, not "yes"'],
  [
    'TRUST_PROXY',
    '10.0.0.0/33',
    'must be IP addresses or CIDR blocks such as 10.0.0.0/8, comma-separated, not "10.0.0.0/33"',
  ],
  ['IPV6_PREFIX_BITS', '129', 'must be a whole number from 16 to 128 (bits), not "129"'],
  ['TLS_CERT_FILE', '/nowhere/cert.pem', 'must be the path of a readable file in UTF-8, not "/nowhere/cert.pem"'],
  ['TLS_KEY_FILE', '/nowhere/key.pem', 'must be the path of a readable file in UTF-8'],
  ['AUTH_USERS_FILE', '/nowhere/users', 'must be the path of a readable file in UTF-8, not "/nowhere/users"'],
  ['AUTH_JWT_SECRET', 'thirty-one bytes are not enough', 'must be a secret of at least 32 bytes'],
  ['AUTH_JWT_PUBLIC_KEY_FILE', '/nowhere/jwks', 'must be the path of a readable file in UTF-8, not "/nowhere/jwks"'],
  ['AUTH_JWT_ISSUER', 'i'.repeat(1_025), `must be 1 to 1024 characters, not "${'i'.repeat(1_025)}"`],
  ['AUTH_JWT_AUDIENCE', 'a'.repeat(1_025), `must be 1 to 1024 characters, not "${'a'.repeat(1_025)}"`],
  ['AUTH_JWT_SUBJECT', 'a..b', 'must be names with dots between them, such as passport.user.id, not "a..b"'],
  ['AUTH_JWT_CLOCK_TOLERANCE_SECONDS', '301', 'must be a whole number from 0 to 300 (seconds), not "301"'],
  ['AUTH_CLAIMS', 'email,,roles', 'must be names of claims, comma-separated, not "email,,roles"'],
  [
    'AUTH_OIDC_ISSUER',
    'ftp://a.example',
    'must be a URL that begins with https:// or http://, without user, password, query or fragment, not "ftp://a.example"',
  ],
  [
    'AUTH_JWKS_URL',
    'ftp://a.example',
    'must be a URL that begins with https:// or http://, without user, password, query or fragment, not "ftp://a.example"',
  ],
  [
    'AUTH_INTROSPECTION_URL',
    'ftp://a.example',
    'must be a URL that begins with https:// or http://, without user, password, query or fragment, not "ftp://a.example"',
  ],
  ['AUTH_INTROSPECTION_CLIENT_ID', 'ä', 'must be 1 to 256 ASCII characters, not "ä"'],
  ['AUTH_INTROSPECTION_CLIENT_SECRET', 'hunter2ä', 'must be 1 to 1024 ASCII characters'],
  ['AUTH_INTROSPECTION_CACHE_SECONDS', '301', 'must be a whole number from 0 to 300 (seconds), not "301"'],
  ['AUTH_SESSION_SECRET', 'hunter2', 'must be secrets of at least 8 bytes, comma-separated, the newest first'],
  ['AUTH_SESSION_COOKIE', 'a;b', 'must be the name of a cookie, not "a;b"'],
  ['AUTH_SESSION_SUBJECT', '.id', 'must be names with dots between them, such as passport.user.id, not ".id"'],
  [
    'AUTH_SESSION_REDIS_URL',
    'http://:hunter2@127.0.0.1',
    'must be redis:// or rediss://, then [user:password@]host[:port][/database number], the password percent-encoded',
  ],
  ['AUTH_SESSION_PREFIX', 'a b', 'must be at most 64 visible characters, not "a b"'],
  [
    'AUTH_FORWARD_URL',
    'ftp://a.example',
    'must be a URL that begins with https:// or http://, without user, password, query or fragment, not "ftp://a.example"',
  ],
  ['AUTH_FORWARD_SUBJECT', 'id.', 'must be names with dots between them, such as passport.user.id, not "id."'],
  ['AUTH_FORWARD_CACHE_SECONDS', '301', 'must be a whole number from 0 to 300 (seconds), not "301"'],
  ['AUTH_PROXY_HEADER', 'X User', 'must be the name of an HTTP header, not "X User"'],
  ['AUTH_API_KEYS_FILE', '/nowhere/keys', 'must be the path of a readable file in UTF-8, not "/nowhere/keys"'],
  ['AUTH_TIMEOUT_MS', '49', 'must be a whole number from 50 to 60000 (ms), not "49"'],
  ['MAX_REQUESTS_PER_MINUTE_PER_ADDRESS', '-1', 'must be a whole number from 0 to 1000000, not "-1"'],
  ['MAX_REQUESTS_PER_MINUTE_PER_SUBJECT', '1000001', 'must be a whole number from 0 to 1000000, not "1000001"'],
  ['POLICY_FILE', '/nowhere/policy', 'must be the path of a readable file in UTF-8, not "/nowhere/policy"'],
  ['PLAYGROUND', 'yes', 'must be true or false, not "yes"'],
  ['LOG_LEVEL', 'loud', 'must be one of trace, debug, info, warn, error, fatal, silent, not "loud"'],
];

/** What is wrong with those settings besides the bounds. */
const TOGETHER = ['REDIS_CLUSTER_NODES: must not be set together with REDIS_SENTINELS'];

/** What only the gateway finds wrong with them. */
const TOGETHER_FOR_GATEWAYS = [
  'UPSTREAM_URL: must not be set together with ROUTES_FILE: name it there, with the path /',
];

/** What only the ticket service finds wrong with them. */
const TOGETHER_FOR_TICKETS = [
  'AUTH_JWKS_URL: must not be set together with AUTH_OIDC_ISSUER, which finds its keys by discovery',
  'AUTH_JWT_PUBLIC_KEY_FILE: must not be set together with AUTH_JWKS_URL: no token says which of them it is for',
];

const SENTINEL = { REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_NAME: 'main' };
/** A file of certificates that every Node has. */
const REDIS_CA_FILE = temporaryFile(rootCertificates[0] ?? '');

const environment: Record<string, string> = Object.fromEntries(OUT_OF_BOUNDS.map(([name, value]) => [name, value]));
const allFaults = [...OUT_OF_BOUNDS.map(([name, , fault]) => `${name}: ${fault}`), ...TOGETHER];

async function faultsOf(env: Environment, rules: Parameters<typeof loadSettings>[1] = []): Promise<readonly string[]> {
  const loaded = await loadSettings(env, rules);
  return loaded.ok ? [] : loaded.faults;
}

async function takenPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' ? String(address?.port) : '';
}

describe('a configuration', () => {
  test('with every setting out of bounds reports every fault at once', async () => {
    expect([...settingNames].sort()).toEqual(OUT_OF_BOUNDS.map(([name]) => name).sort());
    expect(await faultsOf(environment)).toEqual(allFaults);
  });

  test.each([
    ['gateway', [...allFaults, ...TOGETHER_FOR_GATEWAYS]],
    ['ticket', [...allFaults, ...TOGETHER_FOR_TICKETS]],
  ] as const)('like that ends the %s with 78, one fault a line', async (name, faults) => {
    const { code, stdout, stderr } = await runToEnd(name, environment);

    expect(code).toBe(78);
    expect(stderr).toBe(`${faults.join('\n')}\n`);
    expect(stdout).toBe('');
    expect(stderr).not.toMatch(/hunter2|thirty-one|key\.pem/);
  });

  test('with a single fault ends the process before anything listens', async () => {
    // A process that listened first would stumble over these ports, and end with 69.
    const ports = { GATEWAY_PORT: await takenPort(), GATEWAY_ADMIN_PORT: await takenPort(), HOST: '127.0.0.1' };
    const { code, stdout, stderr } = await runToEnd('gateway', {
      REDIS_URL: 'redis://127.0.0.1:1',
      ...ports,
      HEARTBEAT_SECONDS: '0',
    });

    expect([code, stderr]).toEqual([
      78,
      'HEARTBEAT_SECONDS: must be a whole number from 1 to 3600 (seconds), not "0"\n',
    ]);
    expect(stdout).toBe('');
  });

  test('that is empty is reported by the services that need one', async () => {
    const gateway = await runToEnd('gateway', {});
    const ticket = await runToEnd('ticket', {});
    const redis =
      'REDIS_URL: must be set (or REDIS_SENTINELS, or REDIS_CLUSTER_NODES): this service keeps its tickets in Redis\n';

    expect([gateway.code, gateway.stderr]).toEqual([78, redis]);
    expect([ticket.code, ticket.stderr]).toEqual([
      78,
      `${redis}AUTH_USERS_FILE: must be set (or AUTH_JWT_SECRET, AUTH_JWT_PUBLIC_KEY_FILE, AUTH_OIDC_ISSUER, AUTH_JWKS_URL, AUTH_INTROSPECTION_URL, AUTH_SESSION_SECRET, AUTH_FORWARD_URL, AUTH_PROXY_HEADER, AUTH_API_KEYS_FILE): nobody could sign in\n`,
    ]);
  });

  test('that is empty has the defaults of the contract', async () => {
    const loaded = await loadSettings({}, []);

    expect(loaded).toEqual({
      ok: true,
      settings: {
        redisSentinelTls: false,
        redisKeyPrefix: 'oncegate:',
        redisTimeoutMs: 250,
        host: '127.0.0.1',
        adminHost: '127.0.0.1',
        ticketPort: 8080,
        gatewayPort: 8081,
        ticketAdminPort: 9080,
        gatewayAdminPort: 9081,
        ticketCarriers: ['query', 'subprotocol', 'authorization'],
        ticketTtlSeconds: 30,
        ticketRetentionSeconds: 600,
        maxPendingPerSubject: 20,
        historyPerSubject: 100,
        maxConnectionsPerSubject: 100,
        connectionLimitPolicy: 'refuse',
        maxConnections: 0,
        maxPendingUpgrades: 10_000,
        listenBacklog: 4_096,
        overloadDelayMs: 1_000,
        maxFailedHandshakesPerMinute: 1_000,
        ipv6PrefixBits: 64,
        maxMessageBytes: 1_048_576,
        maxSessionSeconds: 43_200,
        maxSessionTotalSeconds: 0,
        heartbeatSeconds: 30,
        leaseSeconds: 90,
        drainSeconds: 30,
        bindAddress: false,
        authJwtSubject: 'sub',
        authJwtClockToleranceSeconds: 5,
        authIntrospectionCacheSeconds: 10,
        authSessionCookie: 'connect.sid',
        authSessionSubject: 'passport.user.id',
        authSessionPrefix: 'sess:',
        authForwardSubject: 'sub',
        authForwardCacheSeconds: 0,
        authTimeoutMs: 2000,
        upstreamConnectTimeoutMs: 2000,
        upstreamHandshakeTimeoutMs: 5000,
        upstreamIdleSeconds: 0,
        maxRequestsPerMinutePerAddress: 0,
        maxRequestsPerMinutePerSubject: 6_000,
        logLevel: 'info',
      },
    });
  });

  test('takes an empty value for none', async () => {
    const empty = Object.fromEntries(settingNames.map((name) => [name, '']));

    expect(await loadSettings(empty, [])).toEqual(await loadSettings({}, []));
    expect(await faultsOf(empty, [redisIsNeeded])).toHaveLength(1);
  });

  test.each([
    ['TICKET_PORT', '0', '65535'],
    ['REDIS_TIMEOUT_MS', '10', '60000'],
    ['TICKET_TTL_SECONDS', '1', '300'],
    ['TICKET_RETENTION_SECONDS', '0', '86400'],
    ['MAX_PENDING_PER_SUBJECT', '1', '10000'],
    ['MAX_MESSAGE_BYTES', '1', '104857600'],
    ['HEARTBEAT_SECONDS', '1', '3600'],
    ['DRAIN_SECONDS', '0', '3600'],
    ['GATEWAY_ID', 'a', 'a'.repeat(64)],
    ['REDIS_KEY_PREFIX', ':', 'p'.repeat(64)],
    ['AUTH_JWT_SECRET', 'ä'.repeat(16), 'x'.repeat(5_000)],
    ['REDIS_URL', 'redis://h', 'rediss://user:p%40ss@[::1]:6380/1'],
    ['REDIS_URL', 'redis://h/', 'redis://h:6379/15'],
    ['GATEWAY_URL', 'ws://h', 'wss://chat.example.org:8443/socket'],
    ['ALLOWED_ORIGINS', '*', 'https://a.example, http://localhost:3000,app://bundle,https://*.a.example:8443,self'],
    ['ALLOWED_HOSTS', 'a', 'chat.example.org:8443, [::1], 192.0.2.1'],
    ['TRUST_PROXY', '::1', '10.0.0.0/8, 192.168.0.1,fd00::/8'],
    ['TICKET_CARRIERS', 'subprotocol', 'authorization, query'],
  ])('takes the least and the most that %s may be', async (name, least, most) => {
    expect(await faultsOf({ [name]: least })).toEqual([]);
    expect(await faultsOf({ [name]: most })).toEqual([]);
  });

  test.each([
    [{ ALLOWED_ORIGINS: 'null' }, 'ALLOWED_ORIGINS'],
    [{ ALLOWED_ORIGINS: 'https://a.example,https://a.example' }, 'ALLOWED_ORIGINS'],
    [{ ALLOWED_ORIGINS: 'https://A.example' }, 'ALLOWED_ORIGINS'],
    [{ ALLOWED_ORIGINS: 'https://a.example:443' }, 'ALLOWED_ORIGINS'],
    [{ ALLOWED_ORIGINS: 'https://a.example,' }, 'ALLOWED_ORIGINS'],
    [{ TICKET_CARRIERS: 'query,query' }, 'TICKET_CARRIERS'],
    [{ REDIS_SENTINELS: 'a:1' }, 'REDIS_SENTINEL_NAME'],
    [{ REDIS_SENTINEL_NAME: 'main' }, 'REDIS_SENTINELS'],
    [{ REDIS_SENTINEL_PASSWORD: 'secret' }, 'REDIS_SENTINELS'],
    [{ ...SENTINEL, REDIS_SENTINEL_USERNAME: 'ada' }, 'REDIS_SENTINEL_PASSWORD'],
    [{ REDIS_CA_FILE, REDIS_URL: 'redis://h' }, 'REDIS_CA_FILE'],
    [{ REDIS_CA_FILE, ...SENTINEL }, 'REDIS_CA_FILE'],
    [{ TLS_CERT_FILE: 'package.json' }, 'TLS_KEY_FILE'],
    [{ TLS_KEY_FILE: 'package.json' }, 'TLS_CERT_FILE'],
    [{ TLS_CERT_FILE: 'package.json', TLS_KEY_FILE: 'package.json' }, 'TLS_CERT_FILE, TLS_KEY_FILE'],
    [{ TLS_CERT_FILE: '/dev/null', TLS_KEY_FILE: '/dev/null' }, 'TLS_CERT_FILE, TLS_KEY_FILE'],
    [{ TRUST_PROXY: '10.0.0.0/8,' }, 'TRUST_PROXY'],
    [{ TRUST_PROXY: 'proxy.example' }, 'TRUST_PROXY'],
    [{ DRAIN_SECONDS: '٣' }, 'DRAIN_SECONDS'],
    [{ REDIS_URL: 'redis://:pa%ss@h' }, 'REDIS_URL'],
    [{ REDIS_URL: 'redis://h/cache' }, 'REDIS_URL'],
    [{ REDIS_URL: 'redis://h?enableOfflineQueue=true' }, 'REDIS_URL'],
    [{ GATEWAY_URL: 'ws://h/#' }, 'GATEWAY_URL'],
    [{ GATEWAY_URL: 'ws://h/?' }, 'GATEWAY_URL'],
  ])('%j has the one fault of %s', async (env, name) => {
    expect((await faultsOf(env)).map((fault) => fault.split(':')[0])).toEqual([name]);
  });

  test.each(['GATEWAY_URL', 'UPSTREAM_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER_NODES', 'HOST'])(
    'does not show a password that somebody put into %s',
    async (name) => {
      const faults = await faultsOf({ [name]: 'redis://default:hunter2@redis.example:6379' });

      expect(faults.join('\n')).toContain(`${name}: must be `);
      expect(faults.join('\n')).not.toContain('hunter2');
    },
  );
});

describe('a .env file', () => {
  function directoryWith(content: string): string {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, '.env'), content);
    return directory;
  }

  test('is read under the environment', () => {
    const path = join(directoryWith('# ours\nGATEWAY_ID=from-file\nHOST="::1"\n'), '.env');
    vi.stubEnv('GATEWAY_ID', 'from-environment');
    onTestFinished(() => void vi.unstubAllEnvs());

    expect(readEnvironment(path)).toMatchObject({ GATEWAY_ID: 'from-environment', HOST: '::1' });
    expect(readEnvironment(join(path, 'absent')).HOST).toBeUndefined();
  });

  test('configures a process that is started beside it', async () => {
    const cwd = directoryWith('REDIS_URL=redis://127.0.0.1:1\nDRAIN_SECONDS=long\nLOG_LEVEL=loud\n');
    const main = join(import.meta.dirname, '../../../dist/services/gateway/main.js');
    const child = spawn(process.execPath, [main], { cwd, env: { PATH: process.env.PATH, LOG_LEVEL: 'warn' } });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const code = await new Promise((resolve) => child.once('close', resolve));

    expect([code, stderr]).toEqual([
      78,
      'DRAIN_SECONDS: must be a whole number from 0 to 3600 (seconds), not "long"\n',
    ]);
  });
});
