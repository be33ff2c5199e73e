import { createHmac, generateKeyPairSync } from 'node:crypto';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { mintApiKey } from '../../../../shared/logins/api-keys.ts';
import { startLoopback } from '../../../support/browsers/loopback.ts';
import { JWT_SECRET, NO_SECRET, signIn } from '../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { type Environment, runTicketService } from '../../../support/services/in-process.ts';

const ISSUER = 'https://id.example';
const AUDIENCE = 'chat';
const now = Math.floor(Date.now() / 1000);
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { privateKey: strange } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const RULES = { AUTH_JWT_ISSUER: ISSUER, AUTH_JWT_AUDIENCE: AUDIENCE };
const BY_SECRET = { ...RULES, AUTH_JWT_SECRET: JWT_SECRET };
let byKeys: Environment;

beforeAll(async () => {
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'now', alg: 'ES256' }] });
  byKeys = { ...NO_SECRET, ...RULES, AUTH_JWT_PUBLIC_KEY_FILE: temporaryFile(keys) };
});

const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'ada', exp: now + 300 };
const secret = new TextEncoder().encode(JWT_SECRET);
const hs256 = (claims: JWTPayload, typ = 'JWT') =>
  new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg: 'HS256', typ }).sign(secret);
const es256 = (claims: JWTPayload, kid = 'now', key = privateKey) =>
  new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg: 'ES256', kid }).sign(key);

const CLAIM_FAULTS: ReadonlyArray<readonly [string, JWTPayload, string]> = [
  ['of another issuer', { iss: 'https://evil.example' }, `its iss is not ${ISSUER}`],
  ['for another audience', { aud: 'mail' }, `its aud is not ${AUDIENCE}`],
  ['for no audience', { aud: [] }, `its aud is not ${AUDIENCE}`],
  ['that has expired', { exp: now - 60 }, 'it has expired (exp)'],
  ['that is of tomorrow', { nbf: now + 86_400 }, 'it is not valid yet (nbf)'],
  ['without a subject', { sub: '' }, 'there is no valid subject at sub'],
];

async function reasonFor(env: Environment, credentials: string): Promise<unknown> {
  const service = await runTicketService(env);
  const answer = await signIn(service, { Authorization: credentials });
  const refusals = service.log.filter(({ event }) => event === 'refusal');

  expect(answer.status).toBe(401);
  expect(refusals).toHaveLength(1);
  expect(JSON.stringify(answer.body)).not.toContain(String(refusals[0]?.reason));
  const token = credentials.split(' ')[1] ?? '';
  for (const part of token.split('.').filter((text) => text.length > 8)) {
    expect(JSON.stringify(service.log)).not.toContain(part);
  }
  expect(JSON.stringify(service.log)).not.toContain('evil.example');
  return refusals[0]?.reason;
}

describe('the log has the reason, and the answer does not, for a token', () => {
  test.each(CLAIM_FAULTS)('under a shared secret %s', async (_name, claims, reason) => {
    expect(await reasonFor(BY_SECRET, `Bearer ${await hs256(claims)}`)).toBe(reason);
  });

  test.each(CLAIM_FAULTS)('under a key of a file %s', async (_name, claims, reason) => {
    expect(await reasonFor(byKeys, `Bearer ${await es256(claims)}`)).toBe(reason);
  });

  test('of an unknown kid, of a wrong signature, or of another kind', async () => {
    const [unknown, forged] = [await es256({}, 'old'), await es256({}, 'now', strange)];
    const logout = await hs256({}, 'logout+jwt');

    expect(await reasonFor(byKeys, `Bearer ${unknown}`)).toBe('there is no key for its kid and alg');
    expect(await reasonFor(byKeys, `Bearer ${forged}`)).toBe('its signature is wrong');
    expect(await reasonFor(BY_SECRET, `Bearer ${logout}`)).toBe('its typ is neither JWT nor at+jwt');
    expect(await reasonFor(BY_SECRET, `Bearer ${(await hs256({})).slice(0, -3)}AAA`)).toBe('its signature is wrong');
    expect(await reasonFor(byKeys, `Bearer ${await hs256({})}`)).toMatch(/: its alg is not asymmetric$/);
    expect(await reasonFor(BY_SECRET, 'Bearer opaque-token-of-ada')).toMatch(/: it is no JWT$/);
    expect(await reasonFor(BY_SECRET, 'Bearer not/a?token-of-ada')).toMatch(/^not a Bearer token/);
    expect(await reasonFor(BY_SECRET, `Bearer ${'a'.repeat(8_193)}`)).toBe('longer than 8192 characters');
    expect(await reasonFor(BY_SECRET, 'Negotiate something-of-ada')).toMatch(/^no setting is for the scheme/);
  });

  test('that is a revoked API key', async () => {
    const { key } = mintApiKey('worker', {}, new Date());
    const file = temporaryFile(JSON.stringify({ keys: [key] }));
    const other = mintApiKey('worker', {}, new Date()).value;

    expect(await reasonFor({ ...NO_SECRET, AUTH_API_KEYS_FILE: file }, `Bearer ${other}`)).toBe(
      'AUTH_API_KEYS_FILE has no such key',
    );
  });

  test('of which an endpoint says that it is not active', async () => {
    const endpoint = await startLoopback((_request, response) =>
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"active":false}'),
    );
    const env = {
      ...NO_SECRET,
      AUTH_INTROSPECTION_URL: endpoint.url,
      AUTH_INTROSPECTION_CLIENT_ID: 'oncegate',
      AUTH_INTROSPECTION_CLIENT_SECRET: 'secret',
    };

    expect(await reasonFor(env, 'Bearer opaque-token-of-ada')).toBe(
      'the introspection endpoint says that it is not active',
    );
  });
});

test('a JWT whose payload is not UTF-8 is refused, though its signature is right', async () => {
  const service = await runTicketService({ AUTH_JWT_SECRET: JWT_SECRET });
  const [header = ''] = (await hs256({})).split('.');
  const payload = Buffer.from('{"sub":"Zo\xeb"}', 'latin1').toString('base64url');
  const mac = createHmac('sha256', JWT_SECRET).update(`${header}.${payload}`).digest('base64url');

  expect(await signIn(service, { Authorization: `Bearer ${header}.${payload}.${mac}` })).toMatchObject({ status: 401 });
});

test('a good token with too many claims for a ticket is a 422, and may read all the same', async () => {
  const service = await runTicketService({ AUTH_JWT_SECRET: JWT_SECRET, AUTH_CLAIMS: 'groups' });
  const groups = Array.from(
    { length: 105 },
    (_, index) => `3f2504e0-4f89-41d3-9a0c-${String(index).padStart(12, '0')}`,
  );
  const headers = { Authorization: `Bearer ${await hs256({ groups })}` };
  const answer = await signIn(service, headers);

  expect(answer).toMatchObject({ status: 422, code: 'request_invalid', body: { errors: [{ pointer: '#/claims' }] } });
  expect((await signIn(service, headers, { method: 'GET' })).status).toBe(200);
});

test('AUTH_JWT_SUBJECT may be a name with dots', async () => {
  const name = 'https://example.org/user_id';
  const service = await runTicketService({ AUTH_JWT_SECRET: JWT_SECRET, AUTH_JWT_SUBJECT: name });
  const answer = await signIn(service, { Authorization: `Bearer ${await hs256({ [name]: 'u-7' })}` });

  expect((await service.store.read(String(answer.body.id)))?.subject).toBe('u-7');
});
