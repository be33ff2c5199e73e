import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import { describe, expect, test } from 'vitest';
import { createIssuerVerifier } from '../../../../../services/ticket/authenticators/tokens/issuer.ts';
import { IssuerKeys } from '../../../../../services/ticket/authenticators/tokens/issuer-keys.ts';
import { type JwtRules, verifyJwt } from '../../../../../services/ticket/authenticators/tokens/jwt.ts';
import { keysFor } from '../../../../../services/ticket/authenticators/tokens/key-set.ts';
import {
  createPublicKeyVerifier,
  parsePublicKeys,
} from '../../../../../services/ticket/authenticators/tokens/public-keys.ts';
import { startLoopback } from '../../../../support/browsers/loopback.ts';
import { forge, signer } from '../../../../support/logins/forged-jwt.ts';

const FROM = { key: '192.0.2.1' };
const RULES: JwtRules = {
  issuer: undefined,
  audience: 'chat',
  clockToleranceSeconds: 0,
  subjectPath: 'sub',
  claimNames: [],
};

const ec = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const pairs = [ec(), ec(), ec()];
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const stranger = ec();

const jwk = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });
const token = (key: KeyObject, header: object = {}): string => {
  const { alg } = { alg: 'ES256', ...header };
  return forge({ alg, ...header }, { sub: 'ada', aud: 'chat' }, signer(alg, key));
};

/** The ways in which a set comes to the service. */
const SOURCES: ReadonlyArray<readonly [string, (set: object) => Promise<(token: string) => Promise<string>>]> = [
  [
    'a JWKS file',
    async (set) => {
      const keys = parsePublicKeys(JSON.stringify(set));
      if (keys === null) throw new Error('no keys');
      const verifier = createPublicKeyVerifier(keys, RULES);
      return async (given) => (await verifier.verify(given, FROM)).kind;
    },
  ],
  [
    'a JWKS URL',
    async (set) => {
      const { url } = await startLoopback((_request, response) => response.end(JSON.stringify(set)));
      const verifier = createIssuerVerifier(new IssuerKeys({ jwksUrl: url }, 60_000), RULES);
      return async (given) => (await verifier.verify(given, FROM)).kind;
    },
  ],
  [
    'discovery',
    async (set) => {
      const server = await startLoopback(({ url }, response) =>
        response
          .setHeader('Content-Type', 'application/json')
          .end(JSON.stringify(url === '/jwks' ? set : { issuer: server.url, jwks_uri: `${server.url}/jwks` })),
      );
      const verifier = createIssuerVerifier(new IssuerKeys({ issuer: server.url }, 60_000), RULES);
      return async (given) => (await verifier.verify(given, FROM)).kind;
    },
  ],
];

describe.each(SOURCES)('of the keys of %s', (_name, open) => {
  test.each([
    ['without a kid', {}, {}],
    ['with the same kid', { kid: 'a' }, { kid: 'a' }],
    ['with the same kid, for a token without one', { kid: 'a' }, {}],
    ['without a kid, for a token that has one', {}, { kid: 'a' }],
  ])('%s each is tried', async (_how, ofKey, ofToken) => {
    const keys = [jwk(rsa.publicKey, ofKey), ...pairs.map(({ publicKey }) => jwk(publicKey, ofKey))];
    const verify = await open({ keys });

    for (const { privateKey } of pairs) expect(await verify(token(privateKey, ofToken))).toBe('principal');
    expect(await verify(token(rsa.privateKey, { ...ofToken, alg: 'RS256' }))).toBe('principal');
    expect(await verify(token(stranger.privateKey, ofToken))).toBe('invalid');
  });

  test('with another kid, another use or another algorithm none is tried', async () => {
    const [key = stranger] = pairs;
    for (const more of [
      { kid: 'b' },
      { kid: 'a', use: 'enc' },
      { kid: 'a', alg: 'ES384' },
      { kid: 'a', key_ops: ['sign'] },
    ]) {
      const verify = await open({ keys: [jwk(key.publicKey, more), jwk(stranger.publicKey, { kid: 'c' })] });
      expect(await verify(token(key.privateKey, { kid: 'a' }))).toBe('invalid');
    }
  });
});

describe('a set of many keys', () => {
  test('has sixteen tried and no more', async () => {
    const keys = Array.from({ length: 20 }, ec);
    const set = createLocalJWKSet({ keys: keys.map(({ publicKey }) => jwk(publicKey)) });
    const kinds = [];
    for (const { privateKey } of keys) {
      kinds.push((await verifyJwt(token(privateKey), (header) => keysFor(header, set), RULES)).kind);
    }

    expect(kinds).toEqual([...Array(16).fill('principal'), ...Array(4).fill('invalid')]);
  });
});
