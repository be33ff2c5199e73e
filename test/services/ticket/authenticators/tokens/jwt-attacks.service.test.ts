import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { type Loopback, startLoopback } from '../../../../support/browsers/loopback.ts';
import { encode, forge, hmac, type Signer, signature, unsigned } from '../../../../support/logins/forged-jwt.ts';
import { CHALLENGE, expectAnswer, JWT_SECRET, NO_SECRET, signIn } from '../../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../../support/machine/temporary-file.ts';
import { type Environment, runTicketService } from '../../../../support/services/in-process.ts';

const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const attacker = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: 'jwk' }), kid });
const JWKS = JSON.stringify({ keys: [jwk(ec.publicKey, 'ec-1'), jwk(rsa.publicKey, 'rsa-1')] });

/** The server that an attacker's headers point to. A request to it means that a token was trusted. */
let trap: Loopback;
let issuer: Loopback;

beforeAll(async () => {
  trap = await startLoopback((_request, response) =>
    response.end(JSON.stringify({ keys: [jwk(attacker.publicKey, 'ec-1')] })),
  );
  issuer = await startLoopback((_request, response) =>
    response.setHeader('Content-Type', 'application/json').end(JWKS),
  );
});

/** A way to verify JWTs, and how a valid one is made. */
interface Trusted {
  readonly env: () => Environment;
  readonly header: { readonly alg: string; readonly kid?: string };
  readonly signer: Signer;
}

const TRUSTED: ReadonlyArray<readonly [string, Trusted]> = [
  [
    'the keys of an issuer, a shared secret beside them',
    {
      env: () => ({ AUTH_JWKS_URL: issuer.url, AUTH_JWT_SECRET: JWT_SECRET }),
      header: { alg: 'ES256', kid: 'ec-1' },
      signer: signature(ec.privateKey),
    },
  ],
  [
    'the keys of a file',
    {
      env: () => ({ ...NO_SECRET, AUTH_JWT_PUBLIC_KEY_FILE: temporaryFile(JWKS) }),
      header: { alg: 'RS256', kid: 'rsa-1' },
      signer: signature(rsa.privateKey),
    },
  ],
  [
    'one key of a file, a shared secret beside it',
    {
      env: () => ({ AUTH_JWT_SECRET: JWT_SECRET, AUTH_JWT_PUBLIC_KEY_FILE: temporaryFile(pem(ec.publicKey)) }),
      header: { alg: 'ES256' },
      signer: signature(ec.privateKey),
    },
  ],
  [
    'a shared secret',
    { env: () => ({ AUTH_JWT_SECRET: JWT_SECRET }), header: { alg: 'HS256' }, signer: hmac(JWT_SECRET) },
  ],
];

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const der = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const soon = (): number => Math.floor(Date.now() / 1000) + 300;
const claims = (more: object = {}): object => ({
  iss: 'https://id.example',
  aud: 'chat',
  sub: 'ada',
  exp: soon(),
  ...more,
});
/** Claims as text, because JSON.stringify would not write them like this. */
const claimsWith = (more: string): string => `${JSON.stringify(claims()).slice(0, -1)},${more}}`;
const own: Signer = signature(attacker.privateKey);

const start = ({ env }: Trusted) =>
  runTicketService({
    AUTH_JWT_ISSUER: 'https://id.example',
    AUTH_JWT_AUDIENCE: 'chat',
    AUTH_CLAIMS: 'roles,__proto__',
    ...env(),
  });

describe.each(TRUSTED)('with %s', (_name, trusted) => {
  const { header, signer } = trusted;

  /** A token whose header alone is invalid. */
  const headed = (more: object): string => forge({ ...header, ...more }, claims(), signer);
  /** A token whose payload alone is invalid. */
  const paid = (payload: object | string): string => forge(header, payload, signer);

  it('a valid token signs its subject in', async () => {
    const service = await start(trusted);

    await expectAnswer(service, await signIn(service, { Authorization: `Bearer ${paid(claims())}` }), {
      subject: 'ada',
    });
  });

  it.each<readonly [string, () => string]>([
    ['alg none', () => forge({ alg: 'none' }, claims(), unsigned)],
    ['alg none with the key id', () => forge({ ...header, alg: 'none' }, claims(), unsigned)],
    ['alg None', () => forge({ alg: 'None' }, claims(), unsigned)],
    ['alg nOnE', () => forge({ alg: 'nOnE' }, claims(), unsigned)],
    ['alg none and a good signature', () => forge({ ...header, alg: 'none' }, claims(), signer)],
    ['a good header and no signature', () => forge(header, claims(), unsigned)],
    ['no alg', () => forge({ ...header, alg: undefined }, claims(), signer)],
    ['an empty alg', () => headed({ alg: '' })],
    ['alg null', () => headed({ alg: null })],
    ['a list of algs', () => headed({ alg: [header.alg] })],
    ['the alg in other letters', () => headed({ alg: header.alg.toLowerCase() })],
    ['the alg of a method', () => headed({ alg: 'toString' })],
    ['the alg of an encryption', () => headed({ alg: 'dir', enc: 'A256GCM' })],

    ['an HMAC under the EC key in PEM', () => forge({ ...header, alg: 'HS256' }, claims(), hmac(pem(ec.publicKey)))],
    [
      'an HMAC under it without the last newline',
      () => forge({ ...header, alg: 'HS256' }, claims(), hmac(pem(ec.publicKey).trimEnd())),
    ],
    ['an HMAC under it in DER', () => forge({ ...header, alg: 'HS256' }, claims(), hmac(der(ec.publicKey)))],
    ['an HMAC under the RSA key in PEM', () => forge({ ...header, alg: 'HS256' }, claims(), hmac(pem(rsa.publicKey)))],
    [
      'an HMAC under its modulus',
      () =>
        forge(
          { ...header, alg: 'HS256' },
          claims(),
          hmac(Buffer.from(String(rsa.publicKey.export({ format: 'jwk' }).n), 'base64url')),
        ),
    ],
    ['an HMAC under the JWKS', () => forge({ ...header, alg: 'HS256' }, claims(), hmac(JWKS))],
    [
      'an HMAC under the key, called ES256',
      () => forge({ ...header, alg: 'ES256' }, claims(), hmac(pem(ec.publicKey))),
    ],
    ['an HMAC under nothing', () => forge({ ...header, alg: 'HS256' }, claims(), hmac(''))],
    ['HS384 under the secret', () => forge({ alg: 'HS384' }, claims(), hmac(JWT_SECRET, 'sha384'))],
    ['HS512 under the secret', () => forge({ alg: 'HS512' }, claims(), hmac(JWT_SECRET, 'sha512'))],

    [
      'a kid that is the path of an empty file',
      () => forge({ alg: 'HS256', kid: '../../../../../dev/null' }, claims(), hmac('')),
    ],
    [
      'a kid that is a path, and a key of its own',
      () => forge({ alg: 'ES256', kid: '../../etc/passwd' }, claims(), own),
    ],
    ['a kid that is SQL', () => forge({ alg: 'HS256', kid: "' UNION SELECT 'secret' -- " }, claims(), hmac('secret'))],
    ['a kid that is a command', () => forge({ alg: 'ES256', kid: 'ec-1|sleep 1' }, claims(), own)],
    ['a kid with a NUL', () => forge({ alg: 'ES256', kid: 'ec-1\0' }, claims(), own)],
    ['a kid of 5,000 characters', () => forge({ alg: 'ES256', kid: 'k'.repeat(5_000) }, claims(), own)],
    ['an empty kid', () => forge({ alg: 'ES256', kid: '' }, claims(), own)],
    ['a kid that is a number', () => forge({ alg: 'ES256', kid: 1 }, claims(), own)],
    ['a kid that is an object', () => forge({ alg: 'ES256', kid: { toString: 'ec-1' } }, claims(), own)],
    ['a kid that is a list', () => forge({ alg: 'ES256', kid: ['ec-1'] }, claims(), own)],
    ['the kid __proto__', () => forge('{"alg":"ES256","kid":"__proto__"}', claims(), own)],

    [
      'a jwk in the header',
      () => forge({ alg: 'ES256', kid: 'ec-1', jwk: jwk(attacker.publicKey, 'ec-1') }, claims(), own),
    ],
    [
      'a symmetric jwk in the header',
      () => forge({ alg: 'HS256', jwk: { kty: 'oct', k: encode('k'.repeat(32)) } }, claims(), hmac('k'.repeat(32))),
    ],
    ['a jku', () => forge({ alg: 'ES256', kid: 'ec-1', jku: `${trap.url}/jwks` }, claims(), own)],
    [
      'a jku, and the issuer of its own',
      () => forge({ alg: 'ES256', jku: `${trap.url}/jwks` }, claims({ iss: trap.url }), own),
    ],
    ['an x5u', () => forge({ alg: 'ES256', kid: 'ec-1', x5u: `${trap.url}/chain.pem` }, claims(), own)],
    [
      'an x5c',
      () => forge({ alg: 'ES256', kid: 'ec-1', x5c: [der(attacker.publicKey).toString('base64')] }, claims(), own),
    ],
    ['a key of its own', () => forge({ alg: 'ES256', kid: 'ec-1' }, claims(), own)],

    [
      'a crit that nobody knows',
      () => headed({ crit: ['http://example.org/unknown'], 'http://example.org/unknown': true }),
    ],
    ['a crit of a registered name', () => headed({ crit: ['exp'], exp: 1 })],
    ['an empty crit', () => headed({ crit: [] })],
    ['a crit that is no list', () => headed({ crit: 'b64' })],
    ['a payload that is not encoded', () => headed({ crit: ['b64'], b64: false })],

    ['the typ of a logout token', () => headed({ typ: 'logout+jwt' })],
    ['the typ of a security event', () => headed({ typ: 'application/secevent+jwt' })],
    ['the typ of a proof of possession', () => headed({ typ: 'dpop+jwt' })],
    ['the typ of an encryption', () => headed({ typ: 'JWE' })],
    ['an empty typ', () => headed({ typ: '' })],
    ['a typ that only ends like one', () => headed({ typ: 'not-a-jwt' })],

    ['more than 8,192 characters', () => paid(claims({ padding: 'x'.repeat(8_000) }))],
    ['2,500 levels in the header', () => forge(`{"alg":"ES256","kid":${nested(2_500)}}`, claims(), own)],

    ['two algs, none of them last', () => forge('{"alg":"ES256","alg":"none"}', claims(), unsigned)],
    ['two algs, none of them first', () => forge('{"alg":"none","alg":"ES256"}', claims(), unsigned)],
    [
      'two algs, an HMAC first',
      () => forge('{"alg":"HS256","alg":"ES256","kid":"ec-1"}', claims(), hmac(pem(ec.publicKey))),
    ],
    [
      'two algs, an HMAC last',
      () => forge('{"alg":"ES256","kid":"ec-1","alg":"HS256"}', claims(), hmac(pem(ec.publicKey))),
    ],
    ['two expiries, the one that has passed last', () => paid(claimsWith('"exp":1'))],
    ['two issuers, the wrong one last', () => paid(claimsWith('"iss":"https://evil.example"'))],
    ['two subjects, the empty one last', () => paid(claimsWith('"sub":""'))],

    ['an expiry in quotes', () => paid(claims({ exp: String(soon()) }))],
    ['an expiry in milliseconds ago', () => paid(claims({ exp: -soon() * 1000 }))],
    ['a start in quotes', () => paid(claims({ nbf: '1' }))],
    ['a subject that is an object', () => paid(claims({ sub: { toString: 'ada' } }))],
    ['a subject that is a list', () => paid(claims({ sub: ['ada'] }))],
    ['a subject with a line feed', () => paid(claims({ sub: 'ada\r\nOncegate-Subject: root' }))],
    ['a payload that is null', () => paid('null')],
    ['a payload that is a list', () => paid('[]')],
    ['a payload that is a text', () => paid('"ada"')],
    ['a payload that is nothing', () => paid('')],
    ['a payload that is no JSON', () => paid('{"sub":"ada"')],

    ['a signature of zeros', () => forge({ ...header, alg: 'ES256' }, claims(), () => Buffer.alloc(64))],
    [
      'a signature in DER',
      () => forge({ ...header, alg: 'ES256' }, claims(), () => Buffer.from('3006020101020101', 'hex')),
    ],
    ['a good signature and something behind it', () => `${paid(claims())}AAAA`],
    ['a fourth part', () => `${paid(claims())}.x`],
    ['two parts', () => paid(claims()).split('.').slice(0, 2).join('.')],
    ['five parts', () => `${encode('{"alg":"dir","enc":"A256GCM"}')}..AAAA.AAAA.AAAA`],
    ['only dots', () => '..'],
  ])('lets nobody in with %s', async (_row, token) => {
    const service = await start(trusted);
    const answer = await signIn(service, { Authorization: `Bearer ${token()}` });

    await expectAnswer(service, answer, {
      status: 401,
      code: 'credentials_invalid',
      challenges: [CHALLENGE.invalidToken],
    });
    expect(trap.requests).toEqual([]);
  });

  // The token is good, so signing in again would not help.
  it.each([
    ['copied claims of more than 4,096 bytes', () => paid(claims({ roles: 'x'.repeat(4_100) }))],
    ['__proto__ in a copied claim', () => paid(claimsWith('"roles":{"__proto__":{"admin":true}}'))],
    ['__proto__ deep in a copied claim', () => paid(claimsWith('"roles":[{"a":[{"__proto__":null}]}]'))],
    ['__proto__ itself as a copied claim', () => paid(claimsWith('"__proto__":{"admin":true}'))],
    ['constructor in a copied claim', () => paid(claimsWith('"roles":{"constructor":{"prototype":{"admin":true}}}'))],
    ['33 levels in a copied claim', () => paid(claimsWith(`"roles":${nested(33)}`))],
    ['2,500 levels in a copied claim', () => paid(claimsWith(`"roles":${nested(2_500)}`))],
  ])('issues no ticket with %s', async (_row, token) => {
    const service = await start(trusted);
    const answer = await signIn(service, { Authorization: `Bearer ${token()}` });

    await expectAnswer(service, answer, { status: 422, code: 'request_invalid' });
  });

  it.each(['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt'])('takes the typ %s', async (typ) => {
    const service = await start(trusted);

    await expectAnswer(service, await signIn(service, { Authorization: `Bearer ${headed({ typ })}` }), {
      subject: 'ada',
    });
  });
});

test('a request head of more than 32 KiB is refused', async () => {
  const service = await runTicketService();
  const answer = await fetch(`http://127.0.0.1:${service.port}/tickets`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${'x'.repeat(40_000)}` },
  });

  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'request_malformed' });
});
