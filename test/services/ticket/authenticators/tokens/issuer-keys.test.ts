import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startLoopback } from '../../../../support/browsers/loopback.ts';
import { type OidcProvider, startOidcProvider } from '../../../../support/logins/oidc-provider.ts';
import { CHALLENGE, type Expected, expectAnswer, NO_SECRET, signIn } from '../../../../support/logins/sign-in.ts';
import { type Environment, type InProcess, runTicketService } from '../../../../support/services/in-process.ts';

const ADA: Expected = { subject: 'ada' };
const INVALID: Expected = { status: 401, code: 'credentials_invalid', challenges: [CHALLENGE.invalidToken] };
const UNAVAILABLE: Expected = { status: 503, code: 'authentication_unavailable' };

let provider: OidcProvider;
let now: number;

beforeEach(async () => {
  provider = await startOidcProvider();
  now = Date.now();
  pass(0);
});

afterEach(() => void vi.useRealTimers());

/** Moves the clock forward. Requests under way are not affected. */
function pass(ms: number): void {
  now += ms;
  vi.useFakeTimers({ toFake: ['Date'], now });
}

const start = (env: Environment = {}) =>
  runTicketService({
    ...NO_SECRET,
    AUTH_OIDC_ISSUER: provider.issuer,
    AUTH_JWT_AUDIENCE: 'chat',
    AUTH_TIMEOUT_MS: '10000',
    ...env,
  });

/** The answer to a token that outlives every step of the clock. */
async function present(service: InProcess, token: Promise<string>) {
  return signIn(service, { Authorization: `Bearer ${await token}` });
}

const token = (kid?: string): Promise<string> =>
  provider.sign({ exp: Math.floor(now / 1000) + 86_400 }, kid === undefined ? {} : { kid });

/** Sends tokens of unknown keys, all at once. */
async function flood(service: InProcess, count: number): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: count }, (_, index) => present(service, token(`unknown-${index}`))),
  );
  return [...new Set(answers.map(({ status }) => status))];
}

describe('the keys of an issuer', () => {
  it('are fetched once, however many tokens arrive', async () => {
    const service = await start();
    const answers = await Promise.all(Array.from({ length: 20 }, () => present(service, token())));

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(provider.keyRequests()).toBe(1);
    expect(provider.count('/.well-known/openid-configuration')).toBe(1);
  });

  it('are not fetched before a token arrives', async () => {
    await start();

    expect(provider.requests).toEqual([]);
  });

  it('are fetched again after a rotation, and old ones are refused', async () => {
    const service = await start();
    const old = token();
    await expectAnswer(service, await present(service, old), ADA);
    pass(30_000);
    await provider.rotate();
    const fresh = token();

    await expectAnswer(service, await present(service, fresh), ADA);
    expect((await present(service, old)).status).toBe(401);
    expect(provider.keyRequests()).toBe(2);
  });

  it('are all accepted while they are published', async () => {
    const service = await start();
    const old = token();
    await expectAnswer(service, await present(service, old), ADA);
    pass(30_000);
    await provider.rotate({ keep: true });
    const fresh = token();

    await expectAnswer(service, await present(service, fresh), ADA);
    await expectAnswer(service, await present(service, old), ADA);
    expect(provider.keyRequests()).toBe(2);
  });

  it('that rotate right after a fetch are found 30 seconds later', async () => {
    const service = await start();
    await present(service, token());
    await provider.rotate();
    const fresh = token();
    const statuses: number[] = [];
    for (const ms of [0, 29_000, 1_000]) {
      pass(ms);
      statuses.push((await present(service, fresh)).status);
    }

    expect(statuses).toEqual([401, 401, 201]);
  });

  it('that were withdrawn are accepted for ten minutes at most', async () => {
    const service = await start();
    const old = token();
    const statuses = [(await present(service, old)).status];
    await provider.rotate();
    for (const ms of [599_000, 2_000]) {
      pass(ms);
      statuses.push((await present(service, old)).status);
    }

    expect(statuses).toEqual([201, 201, 401]);
  });

  it('are fetched for unknown key ids at most once in 30 seconds', async () => {
    const service = await start();
    await present(service, token());

    expect(await flood(service, 40)).toEqual([401]);
    expect(provider.keyRequests()).toBe(1);
    pass(30_000);
    expect(await flood(service, 40)).toEqual([401]);
    expect(provider.keyRequests()).toBe(2);
  });
});

describe('while the issuer is down', () => {
  it('known keys keep working, for hours', async () => {
    const service = await start();
    await expectAnswer(service, await present(service, token()), ADA);
    await provider.stop();

    for (const ms of [1_000, 600_000, 7_200_000]) {
      pass(ms);
      await expectAnswer(service, await present(service, token()), ADA);
    }
  });

  it('an unknown key gets a 503', async () => {
    const service = await start();
    await present(service, token());
    await provider.rotate();
    const fresh = token();
    await provider.stop();
    pass(30_000);

    expect((await present(service, fresh)).status).toBe(503);
    await provider.start();
    pass(2_000);
    expect((await present(service, fresh)).status).toBe(201);
  });

  it('only the first request waits for it, and it is asked once in two seconds', async () => {
    const service = await start({ AUTH_TIMEOUT_MS: '200' });
    await present(service, token());
    provider.pause();
    pass(30_000);
    const before = provider.keyRequests();
    expect(await flood(service, 40)).toEqual([503]);
    expect(provider.keyRequests() - before).toBe(1);

    expect(await flood(service, 40)).toEqual([503]);
    expect(provider.keyRequests() - before).toBe(1);
    pass(2_000);
    expect(await flood(service, 1)).toEqual([503]);
    expect(provider.keyRequests() - before).toBe(2);
  });

  it('a token with a bad signature of a known key gets a 401', async () => {
    const service = await start();
    await present(service, token());
    await provider.stop();

    expect(
      (
        await present(
          service,
          token().then((good) => `${good.slice(0, -6)}AAAAAA`),
        )
      ).status,
    ).toBe(401);
  });

  it('its keys are found after it comes up, though it was down from the start', async () => {
    await provider.stop();
    const service = await start();
    const good = token();
    await expectAnswer(service, await present(service, good), UNAVAILABLE);
    await provider.start();
    pass(2_000);

    expect((await present(service, good)).status).toBe(201);
  });
});

describe('an issuer is not trusted', () => {
  it('if its discovery document names another issuer', async () => {
    const other = await startLoopback((_request, response) =>
      response
        .setHeader('Content-Type', 'application/json')
        .end(JSON.stringify({ issuer: provider.issuer, jwks_uri: provider.jwksUrl })),
    );
    const service = await start({ AUTH_OIDC_ISSUER: other.url });
    const claims = provider.sign({ iss: other.url });

    await expectAnswer(service, await present(service, claims), UNAVAILABLE);
    expect(provider.keyRequests()).toBe(0);
  });

  it('if its discovery document has no jwks_uri', async () => {
    const silent = await startLoopback((_request, response) =>
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ issuer: silent.url })),
    );
    const service = await start({ AUTH_OIDC_ISSUER: silent.url });

    await expectAnswer(service, await present(service, provider.sign({ iss: silent.url })), UNAVAILABLE);
  });

  it.each<readonly [string, unknown, Expected]>([
    ['null', null, UNAVAILABLE],
    ['a list', [], UNAVAILABLE],
    ['keys that are no list', { keys: {} }, UNAVAILABLE],
    ['keys that are no objects', { keys: ['key-1'] }, UNAVAILABLE],
    ['a key that is broken', { keys: [{ kty: 'EC', crv: 'P-256', kid: 'key-1', x: '!', y: '!' }] }, UNAVAILABLE],
    ['no keys', { keys: [] }, INVALID],
    ['a symmetric key', { keys: [{ kty: 'oct', kid: 'key-1', k: 'AAAA' }] }, INVALID],
    ['a key for another algorithm', { keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES384', kid: 'key-1' }] }, INVALID],
    ['a key that only encrypts', { keys: [{ kty: 'EC', crv: 'P-256', use: 'enc', kid: 'key-1' }] }, INVALID],
  ])('where its keys are %s', async (_name, keys, expected) => {
    const { url } = await startLoopback((_request, response) => response.end(JSON.stringify(keys)));
    const service = await start({ AUTH_OIDC_ISSUER: '', AUTH_JWKS_URL: url });

    await expectAnswer(service, await present(service, token()), expected);
  });

  it('if its JWKS URL redirects', async () => {
    const moved = await startLoopback((_request, response) =>
      response.writeHead(302, { Location: provider.jwksUrl }).end(),
    );
    const service = await start({ AUTH_OIDC_ISSUER: '', AUTH_JWKS_URL: moved.url });

    await expectAnswer(service, await present(service, token()), UNAVAILABLE);
    expect(provider.keyRequests()).toBe(0);
  });
});
