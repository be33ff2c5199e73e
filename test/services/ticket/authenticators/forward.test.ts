import { gzipSync } from 'node:zlib';
import type { Response } from 'express';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startLoopback } from '../../../support/browsers/loopback.ts';
import { quickHash } from '../../../support/logins/passwords.ts';
import {
  CHALLENGE,
  type Expected,
  expectAnswer,
  NO_SECRET,
  recordOf,
  signIn,
} from '../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import {
  ADA,
  APPLICATION_CHALLENGE,
  APPLICATION_TOKEN,
  type Application,
  SIGNED_IN,
  startApplication,
} from '../../../support/services/application.ts';
import { type Environment, runTicketService } from '../../../support/services/in-process.ts';

const OWN = [CHALLENGE.basic, CHALLENGE.application];
const MISSING: Expected = { status: 401, code: 'credentials_missing', challenges: OWN };
const INVALID: Expected = { status: 401, code: 'credentials_invalid', challenges: OWN };
/** The application's own challenge comes first. */
const CHALLENGED: Expected = {
  status: 401,
  code: 'credentials_invalid',
  challenges: [APPLICATION_CHALLENGE, ...OWN],
};
/** Bytes that a lenient decoder would read as another name. */
const ZOE = Buffer.from('{"sub":"Zo\xeb"}', 'latin1');
const UNAVAILABLE: Expected = { status: 503, code: 'authentication_unavailable' };

const COOKIE = { Cookie: SIGNED_IN };
const TOKEN = { Authorization: APPLICATION_TOKEN };

let application: Application;
let users: string;

beforeAll(() => {
  users = temporaryFile(`ada:${quickHash('right')}\n`);
});

beforeEach(async () => {
  application = await startApplication();
});

afterEach(() => void vi.useRealTimers());

const start = (env: Environment = {}) =>
  runTicketService({
    ...NO_SECRET,
    AUTH_USERS_FILE: users,
    AUTH_FORWARD_URL: application.meUrl,
    AUTH_TIMEOUT_MS: '10000',
    ...env,
  });

/** A JSON object of a given number of bytes. */
const sized = (bytes: number): string => {
  const frame = JSON.stringify({ ...ADA, padding: '' });
  return JSON.stringify({ ...ADA, padding: 'x'.repeat(bytes - frame.length) });
};

interface Situation {
  readonly env?: Environment;
  readonly before?: (application: Application) => unknown;
}

describe('an application that is asked who somebody is', () => {
  it.each<readonly [string, Record<string, string>, Expected, Situation]>([
    ['good, by a cookie', COOKIE, { subject: 'ada' }, {}],
    ['good, by an Authorization header', TOKEN, { subject: 'ada' }, {}],
    ['good, by one of two cookies', { Cookie: `theme=dark; ${SIGNED_IN}` }, { subject: 'ada' }, {}],
    ['missing', {}, MISSING, {}],
    ['a cookie that it does not know', { Cookie: 'sid=forged' }, CHALLENGED, {}],
    ['a token that it does not know', { Authorization: 'Token forged' }, CHALLENGED, {}],
    ['a token of our own scheme', { Authorization: 'Basic YWRhOndyb25n' }, INVALID, {}],
    ['malformed, by our own scheme', { ...COOKIE, Authorization: 'Basic' }, INVALID, {}],
    [
      'expired, without a challenge',
      COOKIE,
      INVALID,
      { before: ({ answer }) => answer((response) => void response.status(401).end()) },
    ],
    ['down', COOKIE, UNAVAILABLE, { before: (counterpart) => counterpart.stop() }],
    ['slow', COOKIE, UNAVAILABLE, { env: { AUTH_TIMEOUT_MS: '100' }, before: (counterpart) => counterpart.pause() }],
  ])('%s', async (_row, headers, expected, { env, before }) => {
    const service = await start(env);
    await before?.(application);

    await expectAnswer(service, await signIn(service, headers), expected);
  });

  it.each<readonly [string, (response: Response) => unknown, Expected]>([
    ['200 with JSON of 65,536 bytes', (response) => response.type('json').send(sized(65_536)), { subject: 'ada' }],
    ['200 with JSON under another type', (response) => response.type('text').send(sized(100)), { subject: 'ada' }],
    ['200 with JSON of 65,537 bytes', (response) => response.type('json').send(sized(65_537)), UNAVAILABLE],
    [
      'a little that unfolds to a lot',
      (response) =>
        response
          .set('Content-Encoding', 'gzip')
          .type('json')
          .send(gzipSync(sized(5_000_000))),
      UNAVAILABLE,
    ],
    ['200 with a page', (response) => response.send('<html>Sign in</html>'), UNAVAILABLE],
    ['200 with nothing', (response) => response.end(), UNAVAILABLE],
    ['200 with null', (response) => response.json(null), UNAVAILABLE],
    ['200 with a list', (response) => response.json([ADA]), UNAVAILABLE],
    ['200 with half of its JSON', (response) => response.type('json').send('{"sub":"ada"'), UNAVAILABLE],
    ['200 without a subject', (response) => response.json({ name: 'ada' }), UNAVAILABLE],
    ['200 with an empty subject', (response) => response.json({ sub: '' }), UNAVAILABLE],
    ['200 with a subject in two lines', (response) => response.json({ sub: 'a\nb' }), UNAVAILABLE],
    ['200 with a subject that is no text', (response) => response.json({ sub: { id: 'ada' } }), UNAVAILABLE],
    ['201', (response) => response.status(201).json(ADA), UNAVAILABLE],
    ['204', (response) => response.status(204).end(), UNAVAILABLE],
    ['304', (response) => response.status(304).end(), UNAVAILABLE],
    ['400', (response) => response.status(400).json(ADA), UNAVAILABLE],
    ['403', (response) => response.status(403).json(ADA), UNAVAILABLE],
    ['404', (response) => response.status(404).json(ADA), UNAVAILABLE],
    ['407', (response) => response.status(407).json(ADA), UNAVAILABLE],
    ['429', (response) => response.status(429).json(ADA), UNAVAILABLE],
    ['500', (response) => response.status(500).json(ADA), UNAVAILABLE],
    ['a connection that it cuts', (response) => response.socket?.destroy(), UNAVAILABLE],
    [
      '401 with a challenge of 1,025 characters',
      (response) =>
        response
          .status(401)
          .set('WWW-Authenticate', `A ${'x'.repeat(1_023)}`)
          .end(),
      INVALID,
    ],
    [
      '401 with a challenge that is none',
      (response) => response.status(401).set('WWW-Authenticate', '"what"').end(),
      INVALID,
    ],
    [
      '401 with letters in its challenge that no client reads',
      (response) => response.status(401).set('WWW-Authenticate', 'Basic realm="caf\u00e9"').end(),
      INVALID,
    ],
  ])('answers %s', async (_row, respond, expected) => {
    const service = await start();
    application.answer(respond);

    await expectAnswer(service, await signIn(service, COOKIE), expected);
  });

  it.each([301, 302, 303, 307, 308])('is not followed if it redirects with %d', async (status) => {
    const service = await start();
    application.answer((response) => response.redirect(status, '/login'));

    await expectAnswer(service, await signIn(service, COOKIE), UNAVAILABLE);
    expect(application.requests).toEqual(['GET /me']);
  });

  it('that stops in the middle of its answer times out', async () => {
    const service = await start({ AUTH_TIMEOUT_MS: '100' });
    application.answer((response) => response.type('json').write('{"sub":'));

    await expectAnswer(service, await signIn(service, COOKIE), UNAVAILABLE);
  });

  it('that answers without end is cut off', async () => {
    const endless = await startLoopback((_request, response) => {
      const write = (): void => {
        if (response.destroyed) return;
        while (response.write(' '.repeat(16_384)));
        response.once('drain', write);
      };
      write();
    });
    const service = await start({ AUTH_FORWARD_URL: endless.url });

    await expectAnswer(service, await signIn(service, COOKIE), UNAVAILABLE);
  });

  it('passes several challenges on', async () => {
    const service = await start();
    application.answer((response) =>
      response.status(401).set('WWW-Authenticate', ['Token realm="a"', 'Negotiate']).end(),
    );

    expect((await signIn(service, COOKIE)).challenges).toEqual(['Token realm="a", Negotiate', ...OWN]);
  });

  it('gets Cookie and Authorization, and nothing else of the caller', async () => {
    const service = await start();
    await signIn(service, {
      ...COOKIE,
      ...TOKEN,
      Origin: 'https://app.example',
      Host: 'tickets.example',
      'User-Agent': 'of the caller',
      'Accept-Language': 'tlh',
      'X-Forwarded-For': '192.0.2.7',
      'X-Forwarded-User': 'root',
      'X-Custom': 'of the caller',
      Accept: 'text/html',
      Referer: 'https://app.example/secret',
    });

    const [seen = {}] = application.seen;
    const { cookie, authorization, host, accept, connection, ...rest } = seen;
    expect([cookie, authorization, accept]).toEqual([SIGNED_IN, APPLICATION_TOKEN, 'application/json']);
    expect(host).toBe(new URL(application.url).host);
    expect(connection).toBe('keep-alive');
    // Headers that fetch adds.
    expect(rest).toEqual({
      'accept-language': '*',
      'sec-fetch-mode': 'cors',
      'user-agent': 'node',
      'accept-encoding': 'gzip, deflate',
    });
  });

  it('is not asked about a request with neither', async () => {
    const service = await start();
    await signIn(service, { 'X-Forwarded-User': 'root' });

    expect(application.requests).toEqual([]);
  });

  it.each([
    ['sub', 'ada'],
    ['email', 'ada@example.org'],
    ['account.id', '4711'],
  ])('names the subject in %s', async (path, subject) => {
    const service = await start({ AUTH_FORWARD_SUBJECT: path });

    await expectAnswer(service, await signIn(service, COOKIE), { subject });
  });

  it('gives the claims of AUTH_CLAIMS', async () => {
    const service = await start({ AUTH_CLAIMS: 'roles,account,absent' });
    const answer = await signIn(service, COOKIE, { body: { claims: { roles: ['admin'], room: 7 } } });

    expect(JSON.parse((await recordOf(service, answer)).claims ?? '')).toEqual({
      roles: ['reader'],
      account: { id: 4711 },
    });
    expect(JSON.parse((await recordOf(service, answer)).clientClaims ?? '')).toEqual({ room: 7, roles: ['admin'] });
  });

  it('cannot name a prototype', async () => {
    const service = await start({ AUTH_CLAIMS: 'roles' });
    application.answer((response) => response.type('json').send('{"sub":"ada","roles":{"__proto__":{"admin":true}}}'));

    expect(await signIn(service, COOKIE)).toMatchObject({
      status: 422,
      code: 'request_invalid',
      body: { errors: [{ pointer: '#/claims' }] },
    });
  });

  it.each<readonly [string, unknown, Expected]>([
    ['in quotes', '"1795951416"', UNAVAILABLE],
    ['that is null', 'null', UNAVAILABLE],
    ['that is true', 'true', UNAVAILABLE],
    ['that is a list', '[1795951416]', UNAVAILABLE],
    ['that no double can hold', '1e400', UNAVAILABLE],
    ['in the past', '1000', INVALID],
    ['in the past, with a fraction', '1000.5', INVALID],
    ['before 1970', '-1.5', INVALID],
    ['of zero', '0', INVALID],
  ])('with an exp %s', async (_row, exp, expected) => {
    const service = await start();
    application.answer((response) => response.type('json').send(`{"sub":"ada","exp":${exp}}`));

    await expectAnswer(service, await signIn(service, COOKIE), expected);
  });

  it('with an exp of a fraction ends the session at that millisecond, and with a vast one never', async () => {
    const service = await start();
    const exp = Math.floor(Date.now() / 1000) + 300.5;
    for (const [written, end] of [[exp, exp * 1000] as const, [1e308, undefined] as const]) {
      application.answer((response) => response.json({ ...ADA, exp: written }));
      const { issuedAt, sessionExpiresAt } = await recordOf(service, await signIn(service, COOKIE));
      expect(sessionExpiresAt).toBe(end ?? issuedAt + 43_200_000);
    }
  });

  it.each<readonly [string, (response: Response) => unknown, string]>([
    ['another status', (response) => response.status(500).end(), 'it answered 500'],
    ['no JSON', (response) => response.send('<html>of ada</html>'), 'its answer is not JSON in UTF-8'],
    ['bytes that are not UTF-8', (response) => response.end(ZOE), 'its answer is not JSON in UTF-8'],
    ['too much', (response) => response.type('json').send(sized(65_537)), 'its answer is too long'],
    ['no subject', (response) => response.json({ name: 'ada' }), 'in its answer there is no valid subject at sub'],
    ['an exp in words', (response) => response.json({ ...ADA, exp: 'soon' }), 'exp in its answer is not a number'],
  ])('that answers with %s is named in the log, with the reason', async (_row, respond, reason) => {
    const service = await start();
    application.answer(respond);

    await expectAnswer(service, await signIn(service, COOKIE), UNAVAILABLE);
    expect(service.log.filter(({ event }) => event === 'refusal')).toMatchObject([
      { code: 'authentication_unavailable', reason: `AUTH_FORWARD_URL: ${reason}` },
    ]);
  });

  it('allows the longest session, because it does not say when the login ends', async () => {
    const service = await start({ MAX_SESSION_SECONDS: '1000' });
    const record = await recordOf(service, await signIn(service, COOKIE));

    expect(record.sessionExpiresAt).toBe(record.issuedAt + 1_000_000);
  });

  it('is asked each time by default', async () => {
    const service = await start();
    for (let time = 0; time < 3; time += 1) await signIn(service, COOKIE);

    expect(application.requests).toHaveLength(3);
  });

  it('has its answer cached for the configured time only', async () => {
    const now = Date.now();
    const at = (ms: number): void => void vi.useFakeTimers({ toFake: ['Date'], now: now + ms });
    at(0);
    const service = await start({ AUTH_FORWARD_CACHE_SECONDS: '10' });
    const statuses: number[] = [];
    for (const ms of [0, 9_999, 10_000]) {
      at(ms);
      statuses.push((await signIn(service, COOKIE)).status, application.requests.length);
    }

    expect(statuses).toEqual([201, 1, 201, 1, 201, 2]);
  });

  it('has its answer cached for the same credentials only', async () => {
    const service = await start({ AUTH_FORWARD_CACHE_SECONDS: '10' });
    await signIn(service, COOKIE);
    for (const headers of [{ Cookie: 'sid=forged' }, TOKEN, { ...COOKIE, ...TOKEN }, { Authorization: SIGNED_IN }]) {
      await signIn(service, headers);
    }

    expect(application.requests).toHaveLength(5);
  });

  it('is asked again after a 401 and after a failure', async () => {
    const service = await start({ AUTH_FORWARD_CACHE_SECONDS: '300' });
    application.answer((response) => response.status(401).end());
    const statuses = [(await signIn(service, COOKIE)).status];
    application.answer((response) => response.status(500).end());
    statuses.push((await signIn(service, COOKIE)).status);
    application.answer((response) => response.json(ADA));
    statuses.push((await signIn(service, COOKIE)).status);

    expect(statuses).toEqual([401, 503, 201]);
  });
});

describe('a request that a browser may have been made to send', () => {
  /** A form of another page, without a custom header and without JSON. */
  const FORM = { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'https://evil.example' };

  it.each([
    ['with a cookie', COOKIE],
    ['with a cookie, and a password that the browser remembers', { ...COOKIE, Authorization: 'Digest username="ada"' }],
    ['with a cookie, and a login of the system', { ...COOKIE, Authorization: 'Negotiate YII=' }],
  ])('gets nothing %s', async (_name, headers) => {
    const service = await start();

    await expectAnswer(service, await signIn(service, { ...headers, ...FORM }), { status: 403, code: 'csrf_refused' });
  });

  it('cannot carry a token that a script sets', async () => {
    const service = await start();
    application.answer((response) => response.json(ADA));
    const headers = { ...COOKIE, Authorization: 'Bearer x', 'Content-Type': 'text/plain' };

    await expectAnswer(service, await signIn(service, headers), { subject: 'ada' });
  });
});
