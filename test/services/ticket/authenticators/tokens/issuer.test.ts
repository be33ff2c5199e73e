import { generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { type OidcProvider, startOidcProvider } from '../../../../support/logins/oidc-provider.ts';
import { quickHash } from '../../../../support/logins/passwords.ts';
import {
  CHALLENGE,
  type Expected,
  expectAnswer,
  NO_SECRET,
  recordOf,
  signIn,
} from '../../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../../support/machine/temporary-file.ts';
import { type Environment, runTicketService } from '../../../../support/services/in-process.ts';

const MISSING: Expected = {
  status: 401,
  code: 'credentials_missing',
  challenges: [CHALLENGE.basic, CHALLENGE.bearer],
};
const INVALID: Expected = {
  status: 401,
  code: 'credentials_invalid',
  challenges: [CHALLENGE.basic, CHALLENGE.invalidToken],
};
const UNAVAILABLE: Expected = { status: 503, code: 'authentication_unavailable' };

const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;

let provider: OidcProvider;
let users: string;

beforeAll(async () => {
  provider = await startOidcProvider();
  users = temporaryFile(`ada:${quickHash('right')}\n`);
});

async function signedByAnother(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256');
  return new SignJWT({ iss: provider.issuer, aud: 'chat', sub: 'ada', exp: seconds(300) })
    .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
    .sign(privateKey);
}

async function changed(): Promise<string> {
  const [header, payload = '', signature] = (await provider.token({ format: 'jwt' })).split('.');
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const other = Buffer.from(JSON.stringify({ ...Object(claims), sub: 'root' })).toString('base64url');
  return [header, other, signature].join('.');
}

interface Situation {
  readonly env?: Environment;
  /** Prepares the counterpart before the service asks it. */
  readonly before?: (provider: OidcProvider) => unknown;
}

const ISSUERS: ReadonlyArray<readonly [string, (provider: OidcProvider) => Environment]> = [
  ['an issuer with discovery', ({ issuer }) => ({ AUTH_OIDC_ISSUER: issuer })],
  ['a JWKS URL', ({ jwksUrl, issuer }) => ({ AUTH_JWKS_URL: jwksUrl, AUTH_JWT_ISSUER: issuer })],
];

const start = (settings: Environment, env: Environment = {}) =>
  runTicketService({
    ...NO_SECRET,
    AUTH_USERS_FILE: users,
    AUTH_JWT_AUDIENCE: 'chat',
    AUTH_TIMEOUT_MS: '10000',
    ...settings,
    ...env,
  });

describe.each(ISSUERS)('a JWT of %s', (_name, settingsOf) => {
  it.each<readonly [string, () => Promise<string | undefined>, Expected, Situation]>([
    ['that is good', () => provider.token({ format: 'jwt' }), { subject: 'ada' }, {}],
    ['of another subject', () => provider.token({ format: 'jwt', subject: 'bob' }), { subject: 'bob' }, {}],
    ['for several audiences', () => provider.sign({ aud: ['mail', 'chat'] }), { subject: 'ada' }, {}],
    ['that is missing', async () => undefined, MISSING, {}],
    ['that is malformed', async () => 'a.b.c', INVALID, {}],
    ['that is cut off', async () => (await provider.token({ format: 'jwt' })).slice(0, -1), INVALID, {}],
    ['that has expired', () => provider.sign({ exp: seconds(-10) }), INVALID, {}],
    ['that has expired within the clock tolerance', () => provider.sign({ exp: seconds(-2) }), INVALID, {}],
    ['that is not valid yet', () => provider.sign({ nbf: seconds(60) }), INVALID, {}],
    ['that is valid within the clock tolerance', () => provider.sign({ nbf: seconds(3) }), { subject: 'ada' }, {}],
    [
      'that is not valid yet, without a tolerance',
      () => provider.sign({ nbf: seconds(5) }),
      INVALID,
      { env: { AUTH_JWT_CLOCK_TOLERANCE_SECONDS: '0' } },
    ],
    ['for another audience', () => provider.token({ format: 'jwt', audience: 'mail' }), INVALID, {}],
    ['for no audience', () => provider.sign({ aud: [] }), INVALID, {}],
    ['of another issuer', () => provider.sign({ iss: 'https://evil.example' }), INVALID, {}],
    ['of an issuer with a slash more', () => provider.sign({ iss: `${provider.issuer}/` }), INVALID, {}],
    ['with a wrong signature', signedByAnother, INVALID, {}],
    ['that was changed', changed, INVALID, {}],
    ['with a key id that is not published', () => provider.sign({}, { kid: 'key-0' }), INVALID, {}],
    ['while the issuer is down', () => provider.sign(), UNAVAILABLE, { before: (counterpart) => counterpart.stop() }],
    [
      'while the issuer is slow',
      () => provider.sign(),
      UNAVAILABLE,
      { env: { AUTH_TIMEOUT_MS: '100' }, before: (counterpart) => counterpart.pause() },
    ],
  ])('%s', async (_row, token, expected, { env = {}, before } = {}) => {
    const authorization = await token();
    const service = await start(settingsOf(provider), env);
    await before?.(provider);
    try {
      const answer = await signIn(
        service,
        authorization === undefined ? {} : { Authorization: `Bearer ${authorization}` },
      );
      await expectAnswer(service, answer, expected);
    } finally {
      provider.resume();
      await provider.start();
    }
  });

  it('ends the session with the token, or sooner if sessions are shorter', async () => {
    const exp = seconds(300);
    const headers = { Authorization: `Bearer ${await provider.sign({ exp })}` };
    const long = await start(settingsOf(provider));
    const short = await start(settingsOf(provider), { MAX_SESSION_SECONDS: '60' });

    expect((await recordOf(long, await signIn(long, headers))).sessionExpiresAt).toBe(exp * 1000);
    const record = await recordOf(short, await signIn(short, headers));
    expect(record.sessionExpiresAt).toBe(record.issuedAt + 60_000);
  });

  it('allows the longest session for a token without an expiry', async () => {
    const service = await start(settingsOf(provider), { MAX_SESSION_SECONDS: '1000' });
    const headers = { Authorization: `Bearer ${await provider.sign({ exp: undefined })}` };
    const record = await recordOf(service, await signIn(service, headers));

    expect(record.sessionExpiresAt).toBe(record.issuedAt + 1_000_000);
  });

  it('puts the claims of AUTH_CLAIMS into the ticket, apart from those that the caller asks for', async () => {
    const service = await start(settingsOf(provider), { AUTH_CLAIMS: 'email,roles,absent' });
    const headers = { Authorization: `Bearer ${await provider.token({ format: 'jwt' })}` };
    const answer = await signIn(service, headers, { body: { claims: { room: 7, roles: ['admin'] } } });

    expect(JSON.parse((await recordOf(service, answer)).claims ?? '')).toEqual({
      email: 'ada@example.org',
      roles: ['reader', 'writer'],
    });
    expect(JSON.parse((await recordOf(service, answer)).clientClaims ?? '')).toEqual({ room: 7, roles: ['admin'] });
  });

  it('copies no claim that AUTH_CLAIMS does not list', async () => {
    const service = await start(settingsOf(provider));
    const headers = { Authorization: `Bearer ${await provider.token({ format: 'jwt' })}` };

    expect((await recordOf(service, await signIn(service, headers))).claims).toBeUndefined();
  });

  it.each([
    ['client_id', {}, 'ada'],
    ['account.id', { account: { id: 4711 } }, '4711'],
  ])('takes the subject from %s', async (path, claims, subject) => {
    const service = await start(settingsOf(provider), { AUTH_JWT_SUBJECT: path });
    const token = path === 'client_id' ? await provider.token({ format: 'jwt' }) : await provider.sign(claims);
    const answer = await signIn(service, { Authorization: `Bearer ${token}` });

    await expectAnswer(service, answer, { subject });
  });
});
