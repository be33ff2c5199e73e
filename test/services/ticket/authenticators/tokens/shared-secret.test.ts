import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { quickHash } from '../../../../support/logins/passwords.ts';
import {
  CHALLENGE,
  type Expected,
  expectAnswer,
  JWT_SECRET,
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

const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;

function token(claims: Readonly<Record<string, unknown>> = {}, { secret = JWT_SECRET, alg = 'HS256' } = {}) {
  return new SignJWT({ iss: 'https://id.example', aud: 'chat', sub: 'ada', exp: seconds(300), ...claims })
    .setProtectedHeader({ alg })
    .sign(new TextEncoder().encode(secret));
}

const start = (env: Environment = {}) =>
  runTicketService({
    AUTH_USERS_FILE: temporaryFile(`ada:${quickHash('right')}\n`),
    AUTH_JWT_SECRET: JWT_SECRET,
    AUTH_JWT_ISSUER: 'https://id.example',
    AUTH_JWT_AUDIENCE: 'chat',
    ...env,
  });

describe('a JWT under a shared secret', () => {
  it.each<readonly [string, () => Promise<string | undefined>, Expected]>([
    ['that is good', () => token(), { subject: 'ada' }],
    ['that is missing', async () => undefined, MISSING],
    ['that is malformed', async () => 'a.b.c', INVALID],
    ['that is no JWT at all', async () => 'opaque', INVALID],
    ['that has expired', () => token({ exp: seconds(-10) }), INVALID],
    ['that has expired within the clock tolerance', () => token({ exp: seconds(-2) }), INVALID],
    ['that is not valid yet', () => token({ nbf: seconds(60) }), INVALID],
    ['that is valid within the clock tolerance', () => token({ nbf: seconds(3) }), { subject: 'ada' }],
    ['for another audience', () => token({ aud: 'mail' }), INVALID],
    ['for no audience', () => token({ aud: undefined }), INVALID],
    ['of another issuer', () => token({ iss: 'https://evil.example' }), INVALID],
    ['of no issuer', () => token({ iss: undefined }), INVALID],
    ['with a wrong signature', () => token({}, { secret: `${JWT_SECRET}!` }), INVALID],
    ['with another hash', () => token({}, { secret: JWT_SECRET.repeat(2), alg: 'HS512' }), INVALID],
  ])('%s', async (_row, make, expected) => {
    const made = await make();
    const service = await start();
    const answer = await signIn(service, made === undefined ? {} : { Authorization: `Bearer ${made}` });

    await expectAnswer(service, answer, expected);
  });

  it('ends the session with the token, or sooner if sessions are shorter', async () => {
    const exp = seconds(300);
    const headers = { Authorization: `Bearer ${await token({ exp })}` };
    const long = await start();
    const short = await start({ MAX_SESSION_SECONDS: '60' });

    expect((await recordOf(long, await signIn(long, headers))).sessionExpiresAt).toBe(exp * 1000);
    const record = await recordOf(short, await signIn(short, headers));
    expect(record.sessionExpiresAt).toBe(record.issuedAt + 60_000);
  });

  it('never takes what the caller asks for as what AUTH_CLAIMS names', async () => {
    const service = await start({ AUTH_CLAIMS: 'email,roles' });
    const headers = { Authorization: `Bearer ${await token({ email: 'ada@example.org' })}` };
    const claims = { roles: ['admin'], email: 'root@example.org' };
    const record = await recordOf(service, await signIn(service, headers, { body: { claims } }));

    expect(record).toMatchObject({ claims: '{"email":"ada@example.org"}', clientClaims: JSON.stringify(claims) });
  });
});
