import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Authentication, TokenVerifier } from '../../../../../services/ticket/authenticators/authenticator.ts';
import { authenticationOf, type JwtRules } from '../../../../../services/ticket/authenticators/tokens/jwt.ts';
import { createPublicKeyVerifier } from '../../../../../services/ticket/authenticators/tokens/public-keys.ts';
import { createSharedSecretVerifier } from '../../../../../services/ticket/authenticators/tokens/shared-secret.ts';
import { forge, hmac, type Signer, signer } from '../../../../support/logins/forged-jwt.ts';

const NOW = 1_800_000_000;
const SECRET = 'a secret of thirty-two characters';
const TOLERANCE_SECONDS = 5;
const FROM = { key: '192.0.2.1' };
const HELD: JwtRules = {
  issuer: undefined,
  audience: undefined,
  clockToleranceSeconds: 0,
  subjectPath: 'sub',
  claimNames: [],
};

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 + 400 }));
afterEach(() => void vi.useRealTimers());

const moment = fc.oneof(
  fc.integer({ min: -2 * TOLERANCE_SECONDS, max: 2 * TOLERANCE_SECONDS }).map((offset) => NOW + offset),
  fc.constantFrom(NOW + 0.5, NOW - TOLERANCE_SECONDS - 0.5, -1, 0, 1e300, String(NOW + 60), null, true, [NOW + 60]),
);
const name = fc.constantFrom('https://id.example', 'chat', 'mail', '', null, 7, ['chat'], ['mail', 'chat'], [], {});
const payload = fc.record(
  {
    sub: fc.constantFrom('ada', 'ada', 'ada', '', 7, null),
    iss: name,
    aud: name,
    exp: moment,
    nbf: moment,
    iat: moment,
  },
  { requiredKeys: [] },
);
const oddHeader = fc.record(
  {
    typ: fc.constantFrom('JWT', 'at+jwt', 'application/at+jwt', 'logout+jwt', ''),
    crit: fc.constantFrom(['exp'], [], 'b64', null),
    kid: fc.string(),
  },
  { requiredKeys: [] },
);
// Most tokens have at most one fault: with more, hardly any would be valid.
const header = fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: oddHeader });
const rules: fc.Arbitrary<JwtRules> = fc.record({
  issuer: fc.constantFrom('https://id.example', undefined),
  audience: fc.constantFrom('chat', undefined),
  clockToleranceSeconds: fc.constant(TOLERANCE_SECONDS),
  subjectPath: fc.constant('sub'),
  claimNames: fc.constant([]),
});

interface Signed {
  readonly alg: string;
  readonly signer: Signer;
  readonly key: KeyObject;
  readonly verifier: (rules: JwtRules) => TokenVerifier;
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'secp521r1' });
const ed25519 = generateKeyPairSync('ed25519');

const asymmetric = (
  alg: string,
  { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject },
): Signed => ({
  alg,
  key: publicKey,
  signer: signer(alg, privateKey),
  verifier: (held) => createPublicKeyVerifier(async () => [publicKey], held),
});

const SIGNED: readonly Signed[] = [
  {
    alg: 'HS256',
    signer: hmac(SECRET),
    key: createSecretKey(Buffer.from(SECRET)),
    verifier: (held) => createSharedSecretVerifier(SECRET, held),
  },
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => asymmetric(alg, rsa)),
  asymmetric('ES256', p256),
  asymmetric('ES384', p384),
  asymmetric('ES512', p521),
  ...['EdDSA', 'Ed25519'].map((alg) => asymmetric(alg, ed25519)),
];

/** How jose judges a token, with the rules that it does not know added. */
async function byJose(token: string, { alg, key }: Signed, held: JwtRules): Promise<Authentication> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, key, {
      algorithms: [alg],
      clockTolerance: held.clockToleranceSeconds,
      ...(held.issuer !== undefined && { issuer: held.issuer }),
      ...(held.audience !== undefined && { audience: held.audience }),
    });
    return authenticationOf({ header: protectedHeader, payload }, held);
  } catch {
    return { kind: 'invalid', reason: 'jose says no' };
  }
}

/** jose words its reasons otherwise. */
function withoutReason(found: Authentication): Authentication | 'invalid' {
  return found.kind === 'invalid' ? 'invalid' : found;
}

/** Without its leading zero a signature is the same number, and OpenSSL takes some of those. */
function signatureWithoutLeadingZero({ alg, signer: sign }: Signed): { input: string; good: Buffer } {
  for (let jti = 0; ; jti += 1) {
    const input = forge({ alg }, { sub: 'ada', jti }, () => Buffer.alloc(0));
    const good = sign(input.slice(0, -1));
    if (good[0] !== 0) return { input, good };
  }
}

describe.each(SIGNED)('a JWT that is signed with $alg', (signed) => {
  test('is judged as jose judges it', async () => {
    let good = 0;
    await fc.assert(
      fc.asyncProperty(header, payload, rules, async (more, claims, held) => {
        const token = forge({ alg: signed.alg, ...more }, claims, signed.signer);
        const judged = await byJose(token, signed, held);

        expect(withoutReason(await signed.verifier(held).verify(token, FROM))).toEqual(withoutReason(judged));
        if (judged.kind === 'principal') good += 1;
      }),
      { numRuns: signed.alg === 'HS256' ? 3_000 : 100, examples: [[{}, { sub: 'ada' }, HELD]] },
    );
    expect(good).toBeGreaterThan(0);
  });

  test('is refused where jose refuses its signature', async () => {
    const { input, good } = signatureWithoutLeadingZero(signed);
    const signatures = [
      Buffer.alloc(0),
      Buffer.alloc(good.length),
      good.subarray(1),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), good]),
      Buffer.from([...good].toReversed()),
      Buffer.from(good.map((byte, index) => (index === 0 ? byte ^ 1 : byte))),
      Buffer.from(good.map((byte, index) => (index === good.length - 1 ? byte ^ 1 : byte))),
    ];
    const verify = (bytes: Buffer) => signed.verifier(HELD).verify(input + bytes.toString('base64url'), FROM);

    expect(await verify(good)).toMatchObject({ kind: 'principal' });
    for (const bytes of signatures) {
      expect(await byJose(input + bytes.toString('base64url'), signed, HELD)).toMatchObject({ kind: 'invalid' });
      expect(await verify(bytes)).toMatchObject({ kind: 'invalid' });
    }
  });
});

describe('a key', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 });

  test.each<readonly [string, string, { publicKey: KeyObject; privateKey: KeyObject }]>([
    ['RSA of 1,024 bits', 'RS256', weak],
    ['RSA of 1,024 bits', 'PS256', weak],
    ['P-384', 'ES256', p384],
    ['P-256', 'ES384', p256],
    ['Ed448', 'EdDSA', generateKeyPairSync('ed448')],
    ['secp256k1', 'ES256', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['RSA', 'ES256', rsa],
    ['P-256', 'RS256', p256],
  ])('of the kind %s is not used for %s, though the signature is good', async (_kind, alg, pair) => {
    const signed = asymmetric(alg, pair);
    const token = forge({ alg }, { sub: 'ada' }, signed.signer);

    expect(await byJose(token, signed, HELD)).toMatchObject({ kind: 'invalid' });
    expect(await signed.verifier(HELD).verify(token, FROM)).toMatchObject({ kind: 'invalid' });
  });
});

test.each([[['b64']], [['exp']], [[]], [null]])('a JWT under a shared secret may have no crit: %j', async (crit) => {
  const verify = (more: object) =>
    createSharedSecretVerifier(SECRET, HELD).verify(
      forge({ alg: 'HS256', ...more }, { sub: 'ada' }, hmac(SECRET)),
      FROM,
    );

  expect(await verify({})).toMatchObject({ kind: 'principal' });
  expect(await verify({ crit, b64: true })).toMatchObject({ kind: 'invalid' });
});

test('a JWT under a shared secret has exactly one valid spelling of its signature', async () => {
  const { verify } = createSharedSecretVerifier(SECRET, HELD);
  const token = forge({ alg: 'HS256' }, { sub: 'ada' }, hmac(SECRET));
  const bytes = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
  const last = token.at(-1) ?? '';
  const stray = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].filter(
    (other) =>
      other !== last &&
      Buffer.from(`${token.slice(token.lastIndexOf('.') + 1, -1)}${other}`, 'base64url').equals(bytes),
  );

  expect(await verify(token, FROM)).toMatchObject({ kind: 'principal' });
  expect(stray).toHaveLength(3);
  for (const other of stray) expect(await verify(token.slice(0, -1) + other, FROM)).toMatchObject({ kind: 'invalid' });
  for (const more of ['=', '==', 'A', '.']) expect((await verify(token + more, FROM)).kind).not.toBe('principal');
});
