import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Loopback, startLoopback } from '../../../../support/browsers/loopback.ts';
import {
  INTROSPECTION_CLIENT,
  type OidcProvider,
  startOidcProvider,
} from '../../../../support/logins/oidc-provider.ts';
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

const INTROSPECTION = '/token/introspection';

let provider: OidcProvider;
let users: string;

beforeAll(async () => {
  provider = await startOidcProvider();
  users = temporaryFile(`ada:${quickHash('right')}\n`);
});

afterEach(() => void vi.useRealTimers());

const start = (url: string, env: Environment = {}) =>
  runTicketService({
    ...NO_SECRET,
    AUTH_USERS_FILE: users,
    AUTH_INTROSPECTION_URL: url,
    AUTH_INTROSPECTION_CLIENT_ID: INTROSPECTION_CLIENT.id,
    AUTH_INTROSPECTION_CLIENT_SECRET: INTROSPECTION_CLIENT.secret,
    AUTH_JWT_AUDIENCE: 'chat',
    AUTH_TIMEOUT_MS: '10000',
    ...env,
  });

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

async function revoked(): Promise<string> {
  const token = await provider.token({ format: 'opaque' });
  await provider.revoke(token);
  return token;
}

describe('an opaque token', () => {
  it.each<
    readonly [
      string,
      () => Promise<string | undefined>,
      Expected,
      { readonly env?: Environment; readonly before?: (provider: OidcProvider) => unknown },
    ]
  >([
    ['that is good', () => provider.token({ format: 'opaque' }), { subject: 'ada' }, {}],
    ['of another subject', () => provider.token({ format: 'opaque', subject: 'bob' }), { subject: 'bob' }, {}],
    ['that is missing', async () => undefined, MISSING, {}],
    ['that is malformed', async () => 'no token "at" all', INVALID, {}],
    ['that the issuer does not know', async () => 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', INVALID, {}],
    ['that is empty', async () => '', INVALID, {}],
    ['that was revoked', revoked, INVALID, {}],
    [
      'that has expired',
      () => provider.token({ format: 'opaque', ttlSeconds: 30 }),
      INVALID,
      { before: () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 }) },
    ],
    ['for another audience', () => provider.token({ format: 'opaque', audience: 'mail' }), INVALID, {}],
    [
      'while the service is not a client of the issuer any more',
      () => provider.token({ format: 'opaque' }),
      UNAVAILABLE,
      { env: { AUTH_INTROSPECTION_CLIENT_SECRET: 'wrong' } },
    ],
    ['while the issuer is down', async () => 'AAAAAAAA', UNAVAILABLE, { before: (counterpart) => counterpart.stop() }],
    [
      'while the issuer is slow',
      async () => 'AAAAAAAA',
      UNAVAILABLE,
      { env: { AUTH_TIMEOUT_MS: '100' }, before: (counterpart) => counterpart.pause() },
    ],
  ])('%s', async (_row, token, expected, { env = {}, before }) => {
    const credentials = await token();
    const service = await start(provider.introspectionUrl, env);
    await before?.(provider);
    try {
      await expectAnswer(
        service,
        await signIn(service, credentials === undefined ? {} : bearer(credentials)),
        expected,
      );
    } finally {
      provider.resume();
      await provider.start();
    }
  });

  it('ends the session with the token, or sooner if sessions are shorter', async () => {
    const token = await provider.token({ format: 'opaque', ttlSeconds: 300 });
    const long = await start(provider.introspectionUrl);
    const short = await start(provider.introspectionUrl, { MAX_SESSION_SECONDS: '60' });

    const { issuedAt, sessionExpiresAt } = await recordOf(long, await signIn(long, bearer(token)));
    expect(sessionExpiresAt % 1000).toBe(0);
    expect(sessionExpiresAt).toBeLessThanOrEqual(issuedAt + 300_000);
    expect(sessionExpiresAt).toBeGreaterThan(issuedAt + 240_000);
    const record = await recordOf(short, await signIn(short, bearer(token)));
    expect(record.sessionExpiresAt).toBe(record.issuedAt + 60_000);
  });

  it('puts the claims of AUTH_CLAIMS into the ticket', async () => {
    const service = await start(provider.introspectionUrl, { AUTH_CLAIMS: 'roles,iss,absent' });
    const body = { claims: { absent: 1, iss: 'me' } };
    const answer = await signIn(service, bearer(await provider.token({ format: 'opaque' })), { body });
    const record = await recordOf(service, answer);

    expect(JSON.parse(record.claims ?? '')).toEqual({ roles: ['reader', 'writer'], iss: provider.issuer });
    expect(record.clientClaims).toBe(JSON.stringify(body.claims));
  });
});

/** An endpoint that gives the same answer about every token. */
async function endpointThatSays(answer: object | string, headers: Record<string, string> = {}): Promise<Loopback> {
  return startLoopback((_request, response) =>
    response
      .writeHead(200, { 'Content-Type': 'application/json', ...headers })
      .end(typeof answer === 'string' ? answer : JSON.stringify(answer)),
  );
}

const soon = (): number => Math.floor(Date.now() / 1000) + 300;

describe('an introspection endpoint', () => {
  it.each<readonly [string, () => object | string, Expected]>([
    ['that says good', () => ({ active: true, sub: 'ada', exp: soon() }), { subject: 'ada' }],
    ['that names several audiences', () => ({ active: true, sub: 'ada', aud: ['mail', 'chat'] }), { subject: 'ada' }],
    ['that names no audience', () => ({ active: true, sub: 'ada' }), { subject: 'ada' }],
    ['that names another audience', () => ({ active: true, sub: 'ada', aud: 'mail' }), INVALID],
    ['that names no audience in a list', () => ({ active: true, sub: 'ada', aud: [] }), INVALID],
    ['that calls an expired token active', () => ({ active: true, sub: 'ada', exp: soon() - 301 }), INVALID],
    ['that calls a token of tomorrow active', () => ({ active: true, sub: 'ada', nbf: soon() }), INVALID],
    ['that names no subject', () => ({ active: true }), INVALID],
    ['that names an empty subject', () => ({ active: true, sub: '' }), INVALID],
    ['that says only no', () => ({ active: false, sub: 'ada' }), INVALID],
    ['that says yes in words', () => ({ active: 'true', sub: 'ada' }), UNAVAILABLE],
    ['that says nothing', () => ({ sub: 'ada' }), UNAVAILABLE],
    ['that puts the expiry in quotes', () => ({ active: true, sub: 'ada', exp: String(soon()) }), UNAVAILABLE],
    ['that has a word for an expiry', () => ({ active: true, sub: 'ada', exp: 'tomorrow' }), UNAVAILABLE],
    ['that has an object for an expiry', () => ({ active: true, sub: 'ada', exp: {} }), UNAVAILABLE],
    ['that has no number for a start', () => ({ active: true, sub: 'ada', nbf: 'now' }), UNAVAILABLE],
    ['that has null for an expiry', () => ({ active: true, sub: 'ada', exp: null }), UNAVAILABLE],
    ['that has an expiry that no double can hold', () => '{"active":true,"sub":"ada","exp":1e400}', UNAVAILABLE],
    ['that answers more than 64 KiB', () => ({ active: true, sub: 'ada', padding: 'x'.repeat(65_536) }), UNAVAILABLE],
    ['that answers null', () => 'null', UNAVAILABLE],
    ['that answers a list', () => '[{"active":true,"sub":"ada"}]', UNAVAILABLE],
    ['that answers no JSON', () => '<html>', UNAVAILABLE],
    ['that answers nothing', () => '', UNAVAILABLE],
  ])('%s', async (_row, answer, expected) => {
    const endpoint = await endpointThatSays(answer());
    const service = await start(endpoint.url);

    await expectAnswer(service, await signIn(service, bearer('opaque')), expected);
  });

  it('that answers bytes that are not UTF-8 is unavailable, and the log says why', async () => {
    const endpoint = await startLoopback((_request, response) =>
      response
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(Buffer.from('{"active":true,"sub":"Zo\xeb"}', 'latin1')),
    );
    const service = await start(endpoint.url);

    await expectAnswer(service, await signIn(service, bearer('opaque')), UNAVAILABLE);
    expect(service.log.filter(({ event }) => event === 'refusal')).toMatchObject([
      { reason: 'AUTH_INTROSPECTION_URL: its answer is not UTF-8' },
    ]);
  });

  it('with an expiry in fractions of a second ends the session at that millisecond', async () => {
    const endpoint = await endpointThatSays({ active: true, sub: 'ada', exp: soon() + 0.1239 });
    const service = await start(endpoint.url);
    const { sessionExpiresAt } = await recordOf(service, await signIn(service, bearer('opaque')));

    expect(sessionExpiresAt % 1000).toBe(123);
  });

  it('is not followed if it redirects', async () => {
    const other = await endpointThatSays({ active: true, sub: 'ada' });
    const endpoint = await startLoopback((_request, response) =>
      response.writeHead(307, { Location: other.url }).end(),
    );
    const service = await start(endpoint.url);

    await expectAnswer(service, await signIn(service, bearer('opaque')), UNAVAILABLE);
    expect(other.requests).toEqual([]);
  });

  it('that stops in the middle of its answer times out', async () => {
    const endpoint = await startLoopback((_request, response) =>
      response.writeHead(200, { 'Content-Type': 'application/json' }).write('{"active":true,'),
    );
    const service = await start(endpoint.url, { AUTH_TIMEOUT_MS: '100' });

    await expectAnswer(service, await signIn(service, bearer('opaque')), UNAVAILABLE);
  });
});

describe('an answer about a token', () => {
  const now = 1_700_000_000_000;
  const at = (ms: number): void => void vi.useFakeTimers({ toFake: ['Date'], now: now + ms });
  const asked = (): number => provider.count(INTROSPECTION);

  it('is cached for the configured time only', async () => {
    at(0);
    const service = await start(provider.introspectionUrl, { AUTH_INTROSPECTION_CACHE_SECONDS: '10' });
    const token = bearer(await provider.token({ format: 'opaque' }));
    const before = asked();
    const statuses: number[] = [];
    for (const ms of [0, 9_999, 10_000]) {
      at(ms);
      statuses.push((await signIn(service, token)).status, asked() - before);
    }

    expect(statuses).toEqual([201, 1, 201, 1, 201, 2]);
  });

  it('is not cached past the expiry of the token', async () => {
    at(0);
    const service = await start(provider.introspectionUrl, { AUTH_INTROSPECTION_CACHE_SECONDS: '300' });
    const token = bearer(await provider.token({ format: 'opaque', ttlSeconds: 20 }));
    const statuses: number[] = [];
    for (const ms of [0, 19_999, 20_000]) {
      at(ms);
      statuses.push((await signIn(service, token)).status);
    }

    expect(statuses).toEqual([201, 201, 401]);
  });

  it('is not cached with a time of 0', async () => {
    const service = await start(provider.introspectionUrl, { AUTH_INTROSPECTION_CACHE_SECONDS: '0' });
    const token = await provider.token({ format: 'opaque' });
    const first = await signIn(service, bearer(token));
    await provider.revoke(token);

    expect([first.status, (await signIn(service, bearer(token))).status]).toEqual([201, 401]);
  });

  it('is not cached if the token is inactive', async () => {
    const service = await start(provider.introspectionUrl, { AUTH_INTROSPECTION_CACHE_SECONDS: '300' });
    const before = asked();
    for (let attempt = 0; attempt < 3; attempt += 1) await signIn(service, bearer('unknown'));

    expect(asked() - before).toBe(3);
  });

  it('is not cached for another token', async () => {
    const service = await start(provider.introspectionUrl, { AUTH_INTROSPECTION_CACHE_SECONDS: '300' });
    const [ada, bob] = [
      await provider.token({ format: 'opaque' }),
      await provider.token({ format: 'opaque', subject: 'bob' }),
    ];
    for (const [token, subject] of [
      [ada, 'ada'],
      [bob, 'bob'],
      [ada, 'ada'],
    ] as const) {
      await expectAnswer(service, await signIn(service, bearer(token)), { subject });
    }
  });
});
