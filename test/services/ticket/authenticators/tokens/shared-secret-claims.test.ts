import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type JwtRules, verifyJwt } from '../../../../../services/ticket/authenticators/tokens/jwt.ts';
import { createSharedSecretVerifier } from '../../../../../services/ticket/authenticators/tokens/shared-secret.ts';
import { forge, hmac } from '../../../../support/logins/forged-jwt.ts';

const NOW = 1_800_000_000;
const SECRET = 'a secret of thirty-two characters';
const TOLERANCE_SECONDS = 5;

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
    alg: fc.constant('HS256'),
    typ: fc.constantFrom('JWT', 'at+jwt', 'application/at+jwt', 'logout+jwt', ''),
    crit: fc.constantFrom(['exp'], [], 'b64', null),
    kid: fc.string(),
  },
  { requiredKeys: ['alg'] },
);
// Most tokens have at most one fault: with more, hardly any would be valid.
const header = fc.oneof({ weight: 3, arbitrary: fc.constant({ alg: 'HS256' }) }, { weight: 1, arbitrary: oddHeader });
const rules: fc.Arbitrary<JwtRules> = fc.record({
  issuer: fc.constantFrom('https://id.example', undefined),
  audience: fc.constantFrom('chat', undefined),
  clockToleranceSeconds: fc.constant(TOLERANCE_SECONDS),
  subjectPath: fc.constant('sub'),
  claimNames: fc.constant([]),
});

test('a JWT under a shared secret is judged as jose judges it', async () => {
  let good = 0;
  await fc.assert(
    fc.asyncProperty(header, payload, rules, async (protectedHeader, claims, held) => {
      const token = forge(protectedHeader, claims, hmac(SECRET));
      const byJose = await verifyJwt(token, createSecretKey(Buffer.from(SECRET)), ['HS256'], held);

      expect(await createSharedSecretVerifier(SECRET, held).verify(token)).toEqual(byJose);
      if (byJose.kind === 'principal') good += 1;
    }),
    { numRuns: 3_000 },
  );
  expect(good).toBeGreaterThan(30);
});

test.each([[['b64']], [['exp']], [[]], [null]])('a JWT under a shared secret may have no crit: %j', async (crit) => {
  const held = { issuer: undefined, audience: undefined, clockToleranceSeconds: 0, subjectPath: 'sub', claimNames: [] };
  const verify = (more: object) =>
    createSharedSecretVerifier(SECRET, held).verify(forge({ alg: 'HS256', ...more }, { sub: 'ada' }, hmac(SECRET)));

  expect(await verify({})).toMatchObject({ kind: 'principal' });
  expect(await verify({ crit, b64: true })).toEqual({ kind: 'invalid' });
});

test('a JWT under a shared secret has exactly one valid spelling of its signature', async () => {
  const held = { issuer: undefined, audience: undefined, clockToleranceSeconds: 0, subjectPath: 'sub', claimNames: [] };
  const { verify } = createSharedSecretVerifier(SECRET, held);
  const token = forge({ alg: 'HS256' }, { sub: 'ada' }, hmac(SECRET));
  const bytes = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
  const last = token.at(-1) ?? '';
  const stray = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].filter(
    (other) =>
      other !== last &&
      Buffer.from(`${token.slice(token.lastIndexOf('.') + 1, -1)}${other}`, 'base64url').equals(bytes),
  );

  expect(await verify(token)).toMatchObject({ kind: 'principal' });
  expect(stray).toHaveLength(3);
  for (const other of stray) expect(await verify(token.slice(0, -1) + other)).toEqual({ kind: 'invalid' });
  for (const more of ['=', '==', 'A', '.']) expect((await verify(token + more)).kind).not.toBe('principal');
});
