import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { settingNames, settingRow } from '../../../shared/settings/table.ts';
import { type Loopback, startLoopback } from '../../support/browsers/loopback.ts';
import { bearer, JWT_SECRET } from '../../support/logins/bearer.ts';
import { freePort } from '../../support/machine/free-port.ts';
import { temporaryDirectory, temporaryFile } from '../../support/machine/temporary-file.ts';
import { type RedisServer, startRedis } from '../../support/redis/redis.ts';
import { oncegate } from '../../support/services/command-line.ts';

const PASSWORD = 'a-password-of-redis';
/** Short for the one counterpart that never answers, long for the others on a busy machine. */
const TIMEOUT = { AUTH_TIMEOUT_MS: '3000', REDIS_TIMEOUT_MS: '3000' };

let redis: RedisServer;
let redisUrl: string;
let directory: string;
/** A stand-in for every counterpart. */
let world: Loopback;

beforeAll(async () => {
  redis = await startRedis({ args: ['--requirepass', PASSWORD], password: PASSWORD });
  redisUrl = `redis://:${PASSWORD}@127.0.0.1:${redis.port}`;
  directory = temporaryDirectory();
  world = await startLoopback(({ url, headers }, response) => {
    const json = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    switch (url) {
      case '/.well-known/openid-configuration':
        return json(200, { issuer: world.url, jwks_uri: `${world.url}/jwks` });
      case '/other/.well-known/openid-configuration':
        return json(200, { issuer: world.url, jwks_uri: `${world.url}/jwks` });
      case '/jwks':
        return json(200, { keys: [] });
      case '/introspect':
        return headers.authorization === `Basic ${Buffer.from('oncegate:clientsecret').toString('base64')}`
          ? json(200, { active: false })
          : json(401, { error: 'invalid_client' });
      case '/me':
        return json(401, {});
      case '/redirecting':
        return response.writeHead(302, { Location: '/me' }).end();
      case '/open':
        return json(200, { sub: 'everybody' });
      default:
        response.writeHead(404, { 'Content-Type': 'text/html' }).end('<!doctype html>');
    }
  });
});

type Environment = Readonly<Record<string, string>>;

const check = (env: Environment) => oncegate(['check-config'], { cwd: directory, env: { ...TIMEOUT, ...env } });
const linesOf = (stdout: string, word: string): string[] => stdout.split('\n').filter((line) => line.startsWith(word));

describe('oncegate check-config --token', () => {
  const ask = async (token: string, env: Environment = {}) => {
    const file = temporaryFile(token);
    const { code, stdout } = await oncegate(['check-config', '--token', file], {
      cwd: directory,
      env: { ...TIMEOUT, REDIS_URL: redisUrl, AUTH_JWT_SECRET: JWT_SECRET, ...env },
    });
    expect(stdout).not.toContain(token.trim().split('.')[1]);
    return [code, stdout.trimEnd().split('\n').at(-1)];
  };

  test('says whom a good token is for, and until when', async () => {
    expect(await ask(`${await bearer('ada')}\n`)).toEqual([
      0,
      expect.stringMatching(/^accepted the token, for "ada", until 2\S+Z$/),
    ]);
  });

  test('says why another one is refused', async () => {
    const token = await bearer('ada');

    expect(await ask(token, { AUTH_JWT_AUDIENCE: 'chat' })).toEqual([1, 'refused  the token: its aud is not chat']);
    expect(await ask(await bearer('ada', '-1 minute'))).toEqual([1, 'refused  the token: it has expired (exp)']);
    expect(await ask('opaque.of-ada')).toEqual([1, expect.stringMatching(/it is no JWT$/)]);
  });

  test('needs a file that can be read', async () => {
    const { code, stderr } = await oncegate(['check-config', '--token', join(directory, 'none')], {
      cwd: directory,
      env: {},
    });

    expect([code, stderr.split('\n')[0]]).toEqual([64, expect.stringMatching(/cannot be read$/)]);
  });
});

describe('oncegate check-config', () => {
  test('prints every setting as it counts, reaches every counterpart, and ends with 0', async () => {
    const { code, stdout, stderr } = await check({
      REDIS_URL: redisUrl,
      AUTH_OIDC_ISSUER: world.url,
      AUTH_JWT_AUDIENCE: 'oncegate',
      AUTH_INTROSPECTION_URL: `${world.url}/introspect`,
      AUTH_INTROSPECTION_CLIENT_ID: 'oncegate',
      AUTH_INTROSPECTION_CLIENT_SECRET: 'clientsecret',
      AUTH_SESSION_SECRET: 'signs the cookie',
      AUTH_SESSION_REDIS_URL: redisUrl,
      AUTH_FORWARD_URL: `${world.url}/me`,
      TICKET_TTL_SECONDS: '20',
    });

    expect([code, stderr, linesOf(stdout, 'failed')]).toEqual([0, '', []]);
    expect(linesOf(stdout, 'reached')).toEqual([
      'reached  REDIS_URL',
      'reached  AUTH_OIDC_ISSUER',
      'reached  AUTH_INTROSPECTION_URL',
      'reached  AUTH_SESSION_REDIS_URL',
      'reached  AUTH_FORWARD_URL',
    ]);
    expect(linesOf(stdout, 'wrong')).toEqual([]);
    expect(stdout.endsWith('\nThe configuration is good.\n')).toBe(true);
    const names = [...stdout.matchAll(/^(?:set {5}|default ) ([A-Z0-9_]+)=/gm)].map(([, name]) => name);
    expect(names).toEqual(settingNames);
    expect(stdout).toMatch(/^set {6}TICKET_TTL_SECONDS=20$/m);
    expect(stdout).toMatch(/^default {2}MAX_SESSION_SECONDS=43200$/m);
    expect(stdout).toMatch(/^default {2}POLICY_FILE=none$/m);
  });

  test('asks only what is configured', async () => {
    const before = world.requests.length;
    const { code, stdout } = await check({ REDIS_URL: redisUrl, AUTH_JWT_SECRET: JWT_SECRET });

    expect([code, linesOf(stdout, 'reached')]).toEqual([0, ['reached  REDIS_URL']]);
    expect(world.requests).toHaveLength(before);
  });

  test('prints no secret, in whatever setting it is', async () => {
    const secret = 'never-print-this-0123456789abcdefghi';
    const env = Object.fromEntries(
      settingNames.filter((name) => settingRow(name).secret).map((name) => [name, secret]),
    );
    const { code, stdout, stderr } = await check({
      ...env,
      // A URL with a password, in a setting for URLs and in one that is not.
      REDIS_URL: `redis://user:${secret}@127.0.0.1:1`,
      AUTH_FORWARD_URL: `https://user:${secret}@app.example/me`,
      AUTH_OIDC_ISSUER: `https://user:${secret}@issuer.example`,
      GATEWAY_URL: `wss://user:${secret}@chat.example`,
      AUTH_INTROSPECTION_URL: `https://${secret}@issuer.example`,
    });

    expect(Object.keys(env).sort()).toEqual([
      ...['AUTH_INTROSPECTION_CLIENT_SECRET', 'AUTH_JWT_SECRET', 'AUTH_SESSION_REDIS_URL', 'AUTH_SESSION_SECRET'],
      ...['IDENTITY_JWT_KEY_FILE', 'REDIS_SENTINEL_PASSWORD', 'REDIS_URL', 'TLS_KEY_FILE'],
    ]);
    expect(code).toBe(78);
    expect(stdout + stderr).not.toContain(secret);
    for (const name of [...Object.keys(env), 'AUTH_FORWARD_URL', 'GATEWAY_URL']) {
      expect(stdout).toContain(`set      ${name}=(set, not shown)\n`);
    }
  });

  test('prints no secret that a counterpart refuses', async () => {
    const { code, stdout } = await check({
      REDIS_URL: `redis://:wrong-${PASSWORD}@127.0.0.1:${redis.port}`,
      AUTH_INTROSPECTION_URL: `${world.url}/introspect`,
      AUTH_INTROSPECTION_CLIENT_ID: 'oncegate',
      AUTH_INTROSPECTION_CLIENT_SECRET: 'wrong-clientsecret',
    });

    expect(code).toBe(69);
    expect(stdout).not.toMatch(/wrong-/);
    expect(linesOf(stdout, 'failed')).toEqual([
      expect.stringMatching(/^failed {3}REDIS_URL: .*WRONGPASS/),
      expect.stringMatching(/^failed {3}AUTH_INTROSPECTION_URL: .*invalid_client$/),
    ]);
  });

  test('names each counterpart that fails, says why, and exits with 69', async () => {
    const port = await freePort();
    const nobody = `http://127.0.0.1:${port}`;
    const { code, stdout } = await check({
      REDIS_URL: `redis://127.0.0.1:${port}`,
      AUTH_OIDC_ISSUER: nobody,
      AUTH_JWT_AUDIENCE: 'oncegate',
      AUTH_INTROSPECTION_URL: `${nobody}/introspect`,
      AUTH_INTROSPECTION_CLIENT_ID: 'oncegate',
      AUTH_INTROSPECTION_CLIENT_SECRET: 'clientsecret',
      AUTH_SESSION_SECRET: 'signs the cookie',
      AUTH_SESSION_REDIS_URL: redisUrl,
      AUTH_FORWARD_URL: `${nobody}/me`,
    });

    expect(code).toBe(69);
    const refused = (name: string) => expect.stringMatching(new RegExp(`^failed {3}${name}: .*ECONNREFUSED`));
    expect(linesOf(stdout, 'failed')).toEqual([
      refused('REDIS_URL'),
      refused('AUTH_OIDC_ISSUER'),
      refused('AUTH_INTROSPECTION_URL'),
      refused('AUTH_FORWARD_URL'),
    ]);
    expect(linesOf(stdout, 'reached')).toEqual(['reached  AUTH_SESSION_REDIS_URL']);
    expect(stdout.endsWith('\nSome counterparts cannot be reached.\n')).toBe(true);
  });

  test.each<readonly [string, () => Environment, RegExp]>([
    [
      'an application that lets everybody in',
      () => ({ AUTH_FORWARD_URL: `${world.url}/open` }),
      /^failed {3}AUTH_FORWARD_URL: answered 200 to a request without credentials; it has to answer 401$/,
    ],
    [
      'an application that sends to its login page',
      () => ({ AUTH_FORWARD_URL: `${world.url}/redirecting` }),
      /^failed {3}AUTH_FORWARD_URL: answered 302 /,
    ],
    [
      'a JWKS that is not there',
      () => ({ AUTH_JWKS_URL: `${world.url}/nothing`, AUTH_JWT_AUDIENCE: 'oncegate' }),
      /^failed {3}AUTH_JWKS_URL: .*(?:JWKS|JSON Web Key Set|200)/i,
    ],
    [
      'an issuer that says it is another',
      () => ({ AUTH_OIDC_ISSUER: `${world.url}/other`, AUTH_JWT_AUDIENCE: 'oncegate' }),
      /^failed {3}AUTH_OIDC_ISSUER: .*\bissuer\b/,
    ],
    [
      'an introspection endpoint that is none',
      () => ({
        AUTH_INTROSPECTION_URL: `${world.url}/nothing`,
        AUTH_INTROSPECTION_CLIENT_ID: 'oncegate',
        AUTH_INTROSPECTION_CLIENT_SECRET: 'clientsecret',
      }),
      /^failed {3}AUTH_INTROSPECTION_URL: \S+ \S/,
    ],
  ])('finds %s', async (_name, env, line) => {
    const { code, stdout } = await check({ REDIS_URL: redisUrl, ...env() });

    expect(code).toBe(69);
    expect(linesOf(stdout, 'failed')).toEqual([expect.stringMatching(line)]);
  });

  test('gives up on a counterpart that never answers', async () => {
    const silent = await startLoopback(() => {});
    const { code, stdout } = await check({
      ...TIMEOUT,
      REDIS_URL: redisUrl,
      AUTH_FORWARD_URL: silent.url,
    });

    expect(code).toBe(69);
    expect(linesOf(stdout, 'failed')).toEqual([
      expect.stringMatching(/^failed {3}AUTH_FORWARD_URL: it did not answer in time$/),
    ]);
  });

  test.each<readonly [string, Environment, string]>([
    ['Sentinels', { REDIS_SENTINELS: '127.0.0.1:1', REDIS_SENTINEL_NAME: 'group' }, 'REDIS_SENTINELS'],
    ['Cluster', { REDIS_CLUSTER_NODES: '127.0.0.1:1' }, 'REDIS_CLUSTER_NODES'],
  ])('names Redis by the setting that is written: %s', async (_name, env, setting) => {
    const { code, stdout } = await check({ ...env, AUTH_TIMEOUT_MS: '500', AUTH_JWT_SECRET: JWT_SECRET });

    expect(code).toBe(69);
    expect(linesOf(stdout, 'failed')).toEqual([expect.stringMatching(new RegExp(`^failed {3}${setting}: \\S+ \\S`))]);
  });

  test('reports all faults of the settings together, asks no counterpart, and exits with 78', async () => {
    const before = world.requests.length;
    const { code, stdout, stderr } = await check({
      TICKET_TTL_SECONDS: '0',
      AUTH_FORWARD_URL: `${world.url}/me`,
      AUTH_OIDC_ISSUER: world.url,
      AUTH_USERS_FILE: temporaryFile('ada:plain text\n'),
      POLICY_FILE: temporaryFile('{"rules":[{"subjects":[]}]}'),
    });

    expect([code, stderr]).toEqual([78, '']);
    expect(linesOf(stdout, 'wrong').map((line) => /^wrong {4}([A-Z_]+): \S/.exec(line)?.[1])).toEqual([
      ...['TICKET_TTL_SECONDS', 'REDIS_URL', 'AUTH_USERS_FILE', 'AUTH_JWT_AUDIENCE', 'POLICY_FILE'],
    ]);
    expect([...linesOf(stdout, 'reached'), ...linesOf(stdout, 'failed')]).toEqual([]);
    expect(world.requests).toHaveLength(before);
  });

  test('needs what the ticket service needs: a Redis and an authenticator', async () => {
    const { code, stdout } = await check({});

    expect(code).toBe(78);
    expect(linesOf(stdout, 'wrong')).toEqual([
      expect.stringMatching(/^wrong {4}REDIS_URL: /),
      expect.stringMatching(/^wrong {4}AUTH_USERS_FILE: .*nobody could sign in/),
    ]);
  });

  test('reads a .env file of the directory, which the environment overrides', async () => {
    writeFileSync(
      join(directory, '.env'),
      `AUTH_JWT_SECRET=${JWT_SECRET}\nTICKET_TTL_SECONDS=7\nHEARTBEAT_SECONDS=8\n`,
    );
    const { code, stdout } = await check({ REDIS_URL: redisUrl, TICKET_TTL_SECONDS: '9' });
    rmSync(join(directory, '.env'));

    expect(code).toBe(0);
    expect(stdout).toMatch(/^set {6}TICKET_TTL_SECONDS=9$/m);
    expect(stdout).toMatch(/^set {6}HEARTBEAT_SECONDS=8$/m);
    expect(stdout).not.toContain(JWT_SECRET);
  });

  test('warns about what is probably not meant, and is good all the same', async () => {
    const { code, stdout } = await check({
      REDIS_URL: redisUrl,
      AUTH_JWT_SECRET: JWT_SECRET,
      AUTH_USERS_FLE: 'a-value-nobody-sees',
      LEASE_SECONDS: '10',
    });

    expect([code, linesOf(stdout, 'warning').map((line) => line.split(':')[0])]).toEqual([
      0,
      ['warning  AUTH_USERS_FLE', 'warning  LEASE_SECONDS'],
    ]);
    expect(stdout).toContain('AUTH_USERS_FILE');
    expect(stdout).not.toContain('a-value-nobody-sees');
  });

  test('with --strict exits with 78 for what is unsafe, and asks no counterpart', async () => {
    const env = { REDIS_URL: redisUrl, AUTH_JWT_SECRET: JWT_SECRET, ALLOWED_ORIGINS: '*', ADMIN_HOST: '0.0.0.0' };
    const loose = await check(env);
    const strict = await oncegate(['check-config', '--strict'], { cwd: directory, env: { ...TIMEOUT, ...env } });
    const settings = linesOf(strict.stdout, 'warning').map((line) => /^warning {2}(\w+): /.exec(line)?.[1]);

    expect([loose.code, linesOf(loose.stdout, 'warning')]).toEqual([0, []]);
    expect([strict.code, linesOf(strict.stdout, 'reached')]).toEqual([78, []]);
    expect(settings).toEqual(expect.arrayContaining(['TICKET_CARRIERS', 'ADMIN_HOST', 'ALLOWED_ORIGINS']));
  });

  test('takes no arguments', async () => {
    expect((await oncegate(['check-config', 'all'])).code).toBe(64);
  });
});
