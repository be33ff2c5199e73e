import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { exportJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createBearerAuthenticator, firstThatKnows } from '../../../../services/ticket/authenticators/bearer.ts';
import type { JwtRules } from '../../../../services/ticket/authenticators/tokens/jwt.ts';
import {
  createPublicKeyVerifier,
  parsePublicKeys,
} from '../../../../services/ticket/authenticators/tokens/public-keys.ts';
import { createSharedSecretVerifier } from '../../../../services/ticket/authenticators/tokens/shared-secret.ts';
import { runTicketService } from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';

const SECRET = 'a secret of this test, long enough for HS256';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
const ed25519 = generateKeyPairSync('ed25519');

const pem = ({ publicKey }: { publicKey: KeyObject }): string =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString();
const secretKey = (text: string): Uint8Array => new TextEncoder().encode(text);
const now = (): number => Math.floor(Date.now() / 1000);

function sign(alg: string, key: KeyObject | Uint8Array, claims: JWTPayload = {}, kid?: string): Promise<string> {
  const header = { alg, ...(kid !== undefined && { kid }) };
  return new SignJWT({ sub: 'ada', exp: now() + 60, ...claims }).setProtectedHeader(header).sign(key);
}

async function jwksOf(...keys: ReadonlyArray<readonly [kid: string, key: KeyObject]>): Promise<string> {
  const exported = keys.map(async ([kid, key]) => ({ ...(await exportJWK(key)), kid }));
  return JSON.stringify({ keys: await Promise.all(exported) });
}

interface Trusted {
  readonly secret?: string;
  readonly keys?: string;
  readonly issuer?: string;
  readonly audience?: string;
}

/** The answer of a ticket service with these keys to a token. */
async function answerTo(token: string, { secret, keys, issuer, audience }: Trusted, scheme = 'Bearer') {
  const rules: JwtRules = { issuer, audience, clockToleranceSeconds: 0, subjectPath: 'sub', claimNames: [] };
  const publicKeys = keys === undefined ? undefined : parsePublicKeys(keys);
  if (publicKeys === null) throw new Error('no keys');
  const verifiers = [
    secret === undefined ? undefined : createSharedSecretVerifier(secret, rules),
    publicKeys && createPublicKeyVerifier(publicKeys, rules),
  ].filter((verifier) => verifier !== undefined);
  const service = await runTicketService(
    {},
    { authenticators: () => [createBearerAuthenticator(firstThatKnows(verifiers))] },
  );
  const answer = await ask(service, '/tickets', { method: 'POST', credentials: `${scheme} ${token}` });
  const record = answer.status === 201 ? await service.store.read(String(answer.body.id)) : null;
  return { ...answer, record, log: service.log };
}

describe('a Bearer token lets its subject in', () => {
  test.each([
    ['HS256', async () => [await sign('HS256', secretKey(SECRET)), { secret: SECRET }] as const],
    ['RS256 by PEM', async () => [await sign('RS256', rsa.privateKey), { keys: pem(rsa) }] as const],
    ['PS512 by PEM', async () => [await sign('PS512', rsa.privateKey), { keys: pem(rsa) }] as const],
    ['ES256 by PEM', async () => [await sign('ES256', p256.privateKey), { keys: pem(p256) }] as const],
    ['ES384 by PEM', async () => [await sign('ES384', p384.privateKey), { keys: pem(p384) }] as const],
    ['EdDSA by PEM', async () => [await sign('EdDSA', ed25519.privateKey), { keys: pem(ed25519) }] as const],
    [
      'RS256 by JWKS',
      async () => [await sign('RS256', rsa.privateKey, {}, 'a'), { keys: await jwksOf(['a', rsa.publicKey]) }] as const,
    ],
    [
      'ES256 by the second key of a JWKS',
      async () => {
        const keys = await jwksOf(['a', rsa.publicKey], ['b', p256.publicKey], ['c', ed25519.publicKey]);
        return [await sign('ES256', p256.privateKey, {}, 'b'), { keys }] as const;
      },
    ],
    [
      'EdDSA by JWKS',
      async () => [await sign('EdDSA', ed25519.privateKey), { keys: await jwksOf(['a', ed25519.publicKey]) }] as const,
    ],
    [
      'HS256 beside a public key',
      async () => [await sign('HS256', secretKey(SECRET)), { secret: SECRET, keys: pem(rsa) }] as const,
    ],
    [
      'RS256 beside a secret',
      async () => [await sign('RS256', rsa.privateKey), { secret: SECRET, keys: pem(rsa) }] as const,
    ],
  ])('%s', async (_name, make) => {
    const [token, options] = await make();
    const { status, record, log } = await answerTo(token, options);

    expect(status).toBe(201);
    expect(record).toMatchObject({ subject: 'ada' });
    expect(JSON.stringify(log)).not.toContain(token);
  });

  test('until it expires', async () => {
    const exp = now() + 100;
    const { record } = await answerTo(await sign('HS256', secretKey(SECRET), { exp }), { secret: SECRET });

    expect(record?.sessionExpiresAt).toBe(exp * 1000);
  });

  test('if it has the required issuer and audience', async () => {
    const token = await sign('HS256', secretKey(SECRET), { iss: 'https://id.example', aud: ['other', 'chat'] });

    expect((await answerTo(token, { secret: SECRET, issuer: 'https://id.example', audience: 'chat' })).status).toBe(
      201,
    );
  });

  test('with the scheme in any case', async () => {
    expect((await answerTo(await sign('HS256', secretKey(SECRET)), { secret: SECRET }, 'bEARER')).status).toBe(201);
  });
});

describe('a Bearer token lets nobody in', () => {
  const hs256 = (claims: JWTPayload) => () => sign('HS256', secretKey(SECRET), claims);
  const tampered = async (): Promise<string> => {
    const [head, , signature] = (await sign('HS256', secretKey(SECRET))).split('.');
    return [head, Buffer.from(`{"sub":"root","exp":${now() + 60}}`).toString('base64url'), signature].join('.');
  };

  test.each<readonly [string, () => Promise<string> | string, Parameters<typeof answerTo>[1]]>([
    ['without a signature', () => new UnsecuredJWT({ sub: 'ada', exp: now() + 60 }).encode(), { secret: SECRET }],
    ['without a signature, before a public key', () => new UnsecuredJWT({ sub: 'ada' }).encode(), { keys: pem(rsa) }],
    ['signed with the public key as a secret', () => sign('HS256', secretKey(pem(rsa))), { keys: pem(rsa) }],
    [
      'signed with the public key as a secret, beside a secret',
      () => sign('HS256', secretKey(pem(rsa))),
      { keys: pem(rsa), secret: SECRET },
    ],
    ['signed with another secret', () => sign('HS256', secretKey(`${SECRET}!`)), { secret: SECRET }],
    ['signed with another key', () => sign('RS256', other.privateKey), { keys: pem(rsa) }],
    [
      'HS512 where HS256 is meant',
      () => sign('HS512', secretKey(`${SECRET}${SECRET}`)),
      { secret: `${SECRET}${SECRET}` },
    ],
    ['RS256 where only a secret is configured', () => sign('RS256', rsa.privateKey), { secret: SECRET }],
    ['ES384 before a P-256 key', () => sign('ES384', p384.privateKey), { keys: pem(p256) }],
    ['that was changed', tampered, { secret: SECRET }],
    ['that has expired', hs256({ exp: now() - 1 }), { secret: SECRET }],
    ['that is not good yet', hs256({ nbf: now() + 60 }), { secret: SECRET }],
    ['of another issuer', hs256({ iss: 'https://evil.example' }), { secret: SECRET, issuer: 'https://id.example' }],
    ['of no issuer', hs256({}), { secret: SECRET, issuer: 'https://id.example' }],
    ['for another audience', hs256({ aud: 'mail' }), { secret: SECRET, audience: 'chat' }],
    ['for no audience', hs256({}), { secret: SECRET, audience: 'chat' }],
    [
      'without a subject',
      () => new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).sign(secretKey(SECRET)),
      { secret: SECRET },
    ],
    ['of an empty subject', hs256({ sub: '' }), { secret: SECRET }],
    ['of a subject of 257 characters', hs256({ sub: 'a'.repeat(257) }), { secret: SECRET }],
    ['of a subject with a control character', hs256({ sub: 'ada\n' }), { secret: SECRET }],
    ['of more than 8,192 characters', hs256({ padding: 'x'.repeat(8_000) }), { secret: SECRET }],
    ['that is no JWT', () => 'a.b.c', { secret: SECRET }],
    ['that is empty', () => '', { secret: SECRET }],
  ])('%s', async (_name, make, options) => {
    const { status, body, headers } = await answerTo(await make(), options);

    expect([status, body.code]).toEqual([401, 'credentials_invalid']);
    expect(headers.get('www-authenticate')).toBe('Bearer realm="oncegate", error="invalid_token"');
  });
});

describe('public keys', () => {
  const jwk = (fields: object): string => JSON.stringify({ keys: [fields] });

  test.each([
    ['nothing', ''],
    ['no key', 'hello'],
    ['a private key', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['an EC private key', p256.privateKey.export({ type: 'sec1', format: 'pem' }).toString()],
    ['a curve without an algorithm', pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))],
    ['a key that cannot sign', pem(generateKeyPairSync('x25519'))],
    ['a JWKS without keys', '{"keys":[]}'],
    ['a single JWK', '{"kty":"RSA","n":"AQ","e":"AQAB"}'],
    ['a symmetric JWK', jwk({ kty: 'oct', k: 'AAAA' })],
    ['a private JWK', JSON.stringify({ keys: [p256.privateKey.export({ format: 'jwk' })] })],
    ['broken JSON', '{"keys":'],
  ])('are not read from %s', (_name, content) => {
    expect(parsePublicKeys(content)).toBeNull();
  });
});
