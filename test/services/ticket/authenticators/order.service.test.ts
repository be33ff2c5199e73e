import { beforeAll, describe, expect, it } from 'vitest';
import { formatApiKeys, mintApiKey } from '../../../../shared/logins/api-keys.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { INTROSPECTION_CLIENT, type OidcProvider, startOidcProvider } from '../../../support/logins/oidc-provider.ts';
import { basic, quickHash } from '../../../support/logins/passwords.ts';
import { SESSION_SECRET, type SessionApp, startSessionApp } from '../../../support/logins/session-app.ts';
import { CHALLENGE, JWT_SECRET, recordOf, signIn } from '../../../support/logins/sign-in.ts';
import { isMissing } from '../../../support/machine/programs.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import {
  ADA,
  APPLICATION_TOKEN,
  type Application,
  SIGNED_IN,
  startApplication,
} from '../../../support/services/application.ts';
import { type InProcess, runTicketService } from '../../../support/services/in-process.ts';

const key = mintApiKey('key', {}, new Date());

/** All challenges, in the order in which the authenticators are tried. */
const CHALLENGES: readonly string[] = [
  CHALLENGE.proxy,
  CHALLENGE.basic,
  CHALLENGE.bearer,
  CHALLENGE.cookie,
  CHALLENGE.application,
];
const INVALID_TOKEN = CHALLENGES.with(2, CHALLENGE.invalidToken);

describe.skipIf(isMissing('redis'))('a service with every authenticator', () => {
  let redis: SharedRedis;
  let provider: OidcProvider;
  let sessions: SessionApp;
  let application: Application;
  let service: InProcess;

  beforeAll(async () => {
    redis = await workerRedis();
    provider = await startOidcProvider();
    sessions = await startSessionApp({ redisUrl: redis.url });
    application = await startApplication();
    service = await runTicketService({
      TRUST_PROXY: '127.0.0.1',
      AUTH_PROXY_HEADER: 'X-Forwarded-User',
      AUTH_USERS_FILE: temporaryFile(`user:${quickHash('right')}\n`),
      AUTH_API_KEYS_FILE: temporaryFile(formatApiKeys([key.key])),
      AUTH_JWT_SECRET: JWT_SECRET,
      AUTH_OIDC_ISSUER: provider.issuer,
      AUTH_INTROSPECTION_URL: provider.introspectionUrl,
      AUTH_INTROSPECTION_CLIENT_ID: INTROSPECTION_CLIENT.id,
      AUTH_INTROSPECTION_CLIENT_SECRET: INTROSPECTION_CLIENT.secret,
      AUTH_SESSION_SECRET: SESSION_SECRET,
      AUTH_SESSION_REDIS_URL: redis.url,
      AUTH_FORWARD_URL: application.meUrl,
      AUTH_TIMEOUT_MS: '10000',
    });
    const cookie = await sessions.logIn('session');
    await until(async () => (await signIn(service, { Cookie: cookie })).status === 201);
  });

  it.each<readonly [string, () => Promise<Record<string, string>>, string]>([
    ['the header of a proxy', async () => ({ 'X-Forwarded-User': 'proxied' }), 'proxied'],
    ['a password', async () => ({ Authorization: basic('user', 'right') }), 'user'],
    ['an API key', async () => ({ Authorization: `Bearer ${key.value}` }), 'key'],
    ['a JWT under the shared secret', async () => ({ Authorization: await bearer('secret') }), 'secret'],
    [
      'a JWT of the issuer',
      async () => ({ Authorization: `Bearer ${await provider.sign({ sub: 'issuer' })}` }),
      'issuer',
    ],
    [
      'an opaque token',
      async () => ({ Authorization: `Bearer ${await provider.token({ format: 'opaque', subject: 'bob' })}` }),
      'bob',
    ],
    ['a session', async () => ({ Cookie: await sessions.logIn('session') }), 'session'],
    ['a cookie of the application', async () => ({ Cookie: SIGNED_IN }), ADA.sub],
    ['a token of the application', async () => ({ Authorization: APPLICATION_TOKEN }), ADA.sub],
    [
      'the header of a proxy before a password',
      async () => ({ 'X-Forwarded-User': 'proxied', Authorization: basic('user', 'right') }),
      'proxied',
    ],
    [
      'a password before a session',
      async () => ({ Authorization: basic('user', 'right'), Cookie: await sessions.logIn('session') }),
      'user',
    ],
    [
      'a token before a session',
      async () => ({ Authorization: await bearer('secret'), Cookie: await sessions.logIn('session') }),
      'secret',
    ],
    [
      'a session before the application',
      async () => ({ Cookie: `${await sessions.logIn('session')}; ${SIGNED_IN}` }),
      'session',
    ],
    [
      'the application after a session that nobody signed in to',
      async () => ({ Cookie: `${await sessions.visit()}; ${SIGNED_IN}` }),
      ADA.sub,
    ],
  ])('takes %s', async (_name, headers, subject) => {
    expect((await recordOf(service, await signIn(service, await headers()))).subject).toBe(subject);
  });

  it.each<readonly [string, () => Promise<Record<string, string>>, string, readonly string[]]>([
    ['no credentials', async () => ({}), 'credentials_missing', CHALLENGES],
    [
      'a wrong password before a good session',
      async () => ({ Authorization: basic('user', 'wrong'), Cookie: await sessions.logIn('session') }),
      'credentials_invalid',
      CHALLENGES,
    ],
    [
      'a wrong token before a good session',
      async () => ({ Authorization: 'Bearer x', Cookie: await sessions.logIn('session') }),
      'credentials_invalid',
      INVALID_TOKEN,
    ],
    [
      'a forged session before a cookie of the application',
      async () => ({ Cookie: `connect.sid=s%3Aforged.x; ${SIGNED_IN}` }),
      'credentials_invalid',
      CHALLENGES,
    ],
    [
      'a header of a proxy that cannot be, before a password',
      async () => ({ 'X-Forwarded-User': '', Authorization: basic('user', 'right') }),
      'credentials_invalid',
      CHALLENGES,
    ],
  ])('refuses %s, with all challenges', async (_name, headers, code, challenges) => {
    expect(await signIn(service, await headers())).toMatchObject({ status: 401, code, challenges });
  });

  it('asks no authenticator after one has decided', async () => {
    const [before, asked] = [application.requests.length, provider.count('/token/introspection')];
    for (const Authorization of [
      basic('user', 'right'),
      `Bearer ${key.value}`,
      await bearer('secret'),
      'Bearer ogk_x',
    ]) {
      await signIn(service, { Authorization, Cookie: SIGNED_IN });
    }

    expect(application.requests).toHaveLength(before);
    expect(provider.count('/token/introspection')).toBe(asked);
  });
});
