import { sign } from 'cookie-signature';
import { beforeAll, describe, expect, it } from 'vitest';
import { quickHash } from '../../../support/logins/passwords.ts';
import { SESSION_SECRET, type SessionApp, startSessionApp } from '../../../support/logins/session-app.ts';
import {
  CHALLENGE,
  type Expected,
  expectAnswer,
  NO_SECRET,
  recordOf,
  signIn,
} from '../../../support/logins/sign-in.ts';
import { isMissing } from '../../../support/machine/programs.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, startRedis, workerRedis } from '../../../support/redis/redis.ts';
import { type Environment, type InProcess, runTicketService } from '../../../support/services/in-process.ts';

const CHALLENGES = [CHALLENGE.basic, CHALLENGE.cookie];
const MISSING: Expected = { status: 401, code: 'credentials_missing', challenges: CHALLENGES };
const INVALID: Expected = { status: 401, code: 'credentials_invalid', challenges: CHALLENGES };
const UNAVAILABLE: Expected = { status: 503, code: 'authentication_unavailable' };

const NEW_SECRET = 'the next secret of the application';

let redis: SharedRedis;
let app: SessionApp;
let users: string;

/** A session cookie of this id, signed as the application would. */
const cookieOf = (id: string, secret = SESSION_SECRET): string =>
  `connect.sid=${encodeURIComponent(`s:${sign(id, secret)}`)}`;

const sessionOf = (id: string, expires = 'null'): string =>
  `{"cookie":{"expires":${expires}},"passport":{"user":{"id":"${id}"}}}`;

/** A cookie whose session is this text in Redis. */
async function stored(text: string | Buffer, lifetimeMs?: number): Promise<string> {
  const id = `session-${Math.random()}`;
  await redis.client.set(`sess:${id}`, text);
  if (lifetimeMs !== undefined) await redis.client.pexpire(`sess:${id}`, lifetimeMs);
  return cookieOf(id);
}

async function start(env: Environment = {}): Promise<InProcess> {
  const service = await runTicketService({
    ...NO_SECRET,
    AUTH_USERS_FILE: users,
    AUTH_SESSION_SECRET: SESSION_SECRET,
    AUTH_SESSION_REDIS_URL: redis.url,
    ...env,
  });
  const secret = env.AUTH_SESSION_SECRET?.split(',')[0] ?? SESSION_SECRET;
  const name = env.AUTH_SESSION_COOKIE ?? 'connect.sid';
  const probe = cookieOf('nobody', secret).replace('connect.sid', name);
  await until(async () => (await signIn(service, { Cookie: probe }, { method: 'GET' })).status === 401, {
    what: 'the sessions can be read',
  });
  return service;
}

describe.skipIf(isMissing('redis'))('a session cookie', () => {
  beforeAll(async () => {
    redis = await workerRedis();
    app = await startSessionApp({ redisUrl: redis.url });
    users = temporaryFile(`ada:${quickHash('right')}\n`);
  });

  async function loggedOut(): Promise<string> {
    const cookie = await app.logIn('ada');
    await app.logOut(cookie);
    return cookie;
  }

  const changedTo = async (change: (cookie: string) => string): Promise<string> => change(await app.logIn('ada'));

  it.each<readonly [string, () => Promise<string | undefined>, Expected, { readonly env?: Environment }]>([
    ['that is good', () => app.logIn('ada'), { subject: 'ada' }, {}],
    ['of another user', () => app.logIn('bob'), { subject: 'bob' }, {}],
    ['among other cookies', async () => `theme=dark; ${await app.logIn('ada')}; x=y`, { subject: 'ada' }, {}],
    [
      'with something of the same name behind it',
      async () => `${await app.logIn('ada')}; connect.sid=x`,
      { subject: 'ada' },
      {},
    ],
    ['that is missing', async () => undefined, MISSING, {}],
    ['that is missing among other cookies', async () => 'theme=dark; connect.sid2=x', MISSING, {}],
    ['of a session that nobody signed in to', () => app.visit(), MISSING, {}],
    ['of a session with somebody else at that place', () => stored('{"passport":{"user":"ada"}}'), MISSING, {}],
    ['that is empty', async () => 'connect.sid=', INVALID, {}],
    ['that is not signed', async () => 'connect.sid=session-1', INVALID, {}],
    ['that only says that it is signed', async () => 'connect.sid=s%3A', INVALID, {}],
    ['that is broken', async () => 'connect.sid=%E0%A4', INVALID, {}],
    ['whose id was changed', () => changedTo((cookie) => cookie.replace('s%3A', 's%3Ax')), INVALID, {}],
    ['whose signature was changed', () => changedTo((cookie) => `${cookie.slice(0, -4)}AAAA`), INVALID, {}],
    ['whose signature was cut off', () => changedTo((cookie) => cookie.slice(0, cookie.lastIndexOf('.'))), INVALID, {}],
    ['that is signed with another secret', async () => cookieOf('session-1', 'another secret'), INVALID, {}],
    ['of a session that never was', async () => cookieOf('session-never'), INVALID, {}],
    ['of a session that has ended', loggedOut, INVALID, {}],
    [
      'of a session that has expired',
      () =>
        stored(
          `{"cookie":{"expires":"${new Date(Date.now() - 1000).toISOString()}"},"passport":{"user":{"id":"ada"}}}`,
        ),
      INVALID,
      {},
    ],
    ['of a session that is no JSON', () => stored('passport'), INVALID, {}],
    ['of a session that is not UTF-8', () => stored(Buffer.from(sessionOf('Zo\xeb'), 'latin1')), UNAVAILABLE, {}],
    ['whose expiry is no date', () => stored(sessionOf('ada', '"soon"')), UNAVAILABLE, {}],
    ['whose expiry is a truth', () => stored(sessionOf('ada', 'true')), UNAVAILABLE, {}],
    ['whose expiry is null', () => stored(sessionOf('ada', 'null')), { subject: 'ada' }, {}],
    ['whose expiry is false', () => stored(sessionOf('ada', 'false')), { subject: 'ada' }, {}],
    ['of a session that is null', () => stored('null'), INVALID, {}],
    ['of a session that is a number', () => stored('5'), INVALID, {}],
    ['of a user with a number', () => stored('{"passport":{"user":{"id":4711}}}'), { subject: '4711' }, {}],
    ['of a user who cannot be a subject', () => stored('{"passport":{"user":{"id":"a\\nb"}}}'), INVALID, {}],
    [
      'whose subject is inherited',
      () => stored('{"passport":{"user":{"id":"ada"}}}'),
      MISSING,
      { env: { AUTH_SESSION_SUBJECT: 'passport.constructor.name' } },
    ],
    [
      'that is signed with a secret before the newest',
      () => app.logIn('ada'),
      { subject: 'ada' },
      { env: { AUTH_SESSION_SECRET: `${NEW_SECRET},${SESSION_SECRET}` } },
    ],
    [
      'that is signed with a secret of the past',
      () => app.logIn('ada'),
      INVALID,
      { env: { AUTH_SESSION_SECRET: NEW_SECRET } },
    ],
    [
      'whose sessions are kept under other keys',
      () => app.logIn('ada'),
      INVALID,
      { env: { AUTH_SESSION_PREFIX: 'other:' } },
    ],
  ])('%s', async (_row, cookie, expected, { env }) => {
    const header = await cookie();
    const service = await start(env);

    await expectAnswer(service, await signIn(service, header === undefined ? {} : { Cookie: header }), expected);
  });

  it('gets a 503 while its Redis is down, and works again afterwards', async () => {
    const own = await startRedis();
    const { logIn } = await startSessionApp({ redisUrl: own.url });
    const service = await start({ AUTH_SESSION_REDIS_URL: own.url });
    await own.kill();

    await expectAnswer(service, await signIn(service, { Cookie: cookieOf('session-1') }), UNAVAILABLE);
    await own.restart();
    const cookie = await until(() => logIn('ada'), { what: 'the application is signed in to' });
    await until(async () => (await signIn(service, { Cookie: cookie })).status === 201);
  });

  it('gets a 503 while its Redis is slow', async () => {
    const own = await startRedis();
    const service = await start({ AUTH_SESSION_REDIS_URL: own.url, REDIS_TIMEOUT_MS: '300' });
    await own.pause();
    try {
      await expectAnswer(service, await signIn(service, { Cookie: cookieOf('session-1') }), UNAVAILABLE);
    } finally {
      own.resume();
    }
  });

  it('is looked up in the Redis of the tickets by default', async () => {
    const service = await start({ AUTH_SESSION_REDIS_URL: '', REDIS_URL: redis.url });

    await expectAnswer(service, await signIn(service, { Cookie: await app.logIn('ada') }), { subject: 'ada' });
  });

  it("is looked up by the application's cookie name and key prefix", async () => {
    const other = await startSessionApp({ redisUrl: redis.url, cookieName: '__Host-app', keyPrefix: 'app:session:' });
    const service = await start({ AUTH_SESSION_COOKIE: '__Host-app', AUTH_SESSION_PREFIX: 'app:session:' });

    await expectAnswer(service, await signIn(service, { Cookie: await other.logIn('ada') }), { subject: 'ada' });
    expect((await signIn(service, {})).challenges).toContain('Cookie realm="oncegate", cookie-name="__Host-app"');
  });

  it.each([
    ['its cookie does', { maxAgeMs: 120_000 }],
    ['its key does, where the cookie ends with the browser', { ttlSeconds: 120 }],
  ])('lets the connection end when %s', async (_name, options) => {
    const { logIn } = await startSessionApp({ redisUrl: redis.url, ...options });
    const long = await start();
    const short = await start({ MAX_SESSION_SECONDS: '60' });
    const before = Date.now();
    const cookie = await logIn('ada');
    const after = Date.now();

    const { sessionExpiresAt } = await recordOf(long, await signIn(long, { Cookie: cookie }));
    expect(sessionExpiresAt).toBeGreaterThanOrEqual(before + 119_000);
    expect(sessionExpiresAt).toBeLessThanOrEqual(after + 120_000);
    const record = await recordOf(short, await signIn(short, { Cookie: cookie }));
    expect(record.sessionExpiresAt).toBe(record.issuedAt + 60_000);
  });

  it('of a rolling session is valid as long as its key, whatever expiry the cookie has', async () => {
    const service = await start();
    const past = new Date(Date.now() - 1000).toISOString();
    const cookie = await stored(`{"cookie":{"expires":"${past}"},"passport":{"user":{"id":"ada"}}}`, 120_000);
    const record = await recordOf(service, await signIn(service, { Cookie: cookie }));

    expect(record.sessionExpiresAt).toBeLessThanOrEqual(record.issuedAt + 120_000);
    expect(record.sessionExpiresAt).toBeGreaterThan(record.issuedAt + 60_000);
  });

  it('that never ends allows the longest session', async () => {
    const service = await start({ MAX_SESSION_SECONDS: '1000' });
    const cookie = await stored('{"cookie":{"expires":null},"passport":{"user":{"id":"ada"}}}');
    const record = await recordOf(service, await signIn(service, { Cookie: cookie }));

    expect(record.sessionExpiresAt).toBe(record.issuedAt + 1_000_000);
  });

  it('is never logged', async () => {
    const service = await start();
    const cookie = await app.logIn('ada');
    await signIn(service, { Cookie: cookie });
    await signIn(service, { Cookie: `${cookie}x` });

    expect(JSON.stringify(service.log)).not.toContain(decodeURIComponent(cookie).slice('connect.sid=s:'.length, 40));
  });
});
