import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { sign } from 'cookie-signature';
import { describe, expect, test } from 'vitest';
import type { Authentication } from '../../../../services/ticket/authenticators/authenticator.ts';
import { counterpartFetch, MAX_ANSWER_BYTES } from '../../../../services/ticket/authenticators/counterpart-fetch.ts';
import { createForwardAuthenticator } from '../../../../services/ticket/authenticators/forward.ts';
import { createSessionCookieAuthenticator } from '../../../../services/ticket/authenticators/session-cookie.ts';
import { createIntrospectionVerifier } from '../../../../services/ticket/authenticators/tokens/introspection.ts';
import { type IssuerAddress, IssuerKeys } from '../../../../services/ticket/authenticators/tokens/issuer-keys.ts';
import { KeysUnavailable } from '../../../../services/ticket/authenticators/tokens/jwt.ts';
import type { RedisLink } from '../../../../shared/store/redis/redis-link.ts';
import { startLoopback } from '../../../support/browsers/loopback.ts';
import { until } from '../../../support/machine/wait.ts';
import { requestWith } from '../../../support/services/requests.ts';

const FROM = { key: '192.0.2.1' };
const TIMEOUT_MS = 60_000;
const common = { timeoutMs: TIMEOUT_MS, cacheSeconds: 0, subjectPath: 'sub', claimNames: [] };
const keyOf = (address: IssuerAddress) => () => new IssuerKeys(address, TIMEOUT_MS).find({ alg: 'ES256', kid: 'a' });

let blanks: Buffer | undefined;

/** 300 MB of blanks, in gzip. */
function bomb(): Buffer {
  blanks ??= gzipSync(Buffer.alloc(300_000_000, ' '), { level: 1 });
  return blanks;
}

/** Answers that begin as good ones and are too long, each in its own way. */
const TOO_LONG: ReadonlyArray<readonly [string, (response: ServerResponse, begin: string) => void]> = [
  ['announces 300 MB', (response, begin) => void response.setHeader('Content-Length', 300_000_000).write(begin)],
  ['sends one byte too many in one piece', (response, begin) => void response.end(begin.padEnd(MAX_ANSWER_BYTES + 1))],
  [
    'sends 300 MB in 300 kB of gzip',
    (response, begin) => {
      response.setHeader('Content-Encoding', 'gzip').end(Buffer.concat([gzipSync(begin), bomb()]));
    },
  ],
  [
    'never ends',
    (response, begin) => {
      response.write(begin);
      const more = (): void => {
        while (!response.destroyed && response.write(' '.repeat(65_536))) if (response.writableNeedDrain) break;
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    },
  ],
];

/** Asks a counterpart; whether the answer was taken for none. */
const COUNTERPARTS: ReadonlyArray<readonly [string, (url: string) => string, (url: string) => Promise<unknown>]> = [
  [
    'the introspection endpoint',
    () => '{"active":true,"sub":"ada"}',
    (url) =>
      createIntrospectionVerifier({
        ...common,
        url,
        clientId: 'oncegate',
        clientSecret: 'secret',
        audience: undefined,
      }).verify('token', FROM),
  ],
  [
    'the application',
    () => '{"sub":"ada"}',
    (url) => createForwardAuthenticator({ ...common, url }).authenticate(requestWith({ cookie: 'a=b' }), FROM),
  ],
  ['the JWKS', () => '{"keys":[]}', (url) => keyOf({ jwksUrl: url })().catch((error: unknown) => error)],
  [
    'the discovery document',
    (url) => JSON.stringify({ issuer: url, jwks_uri: `${url}/jwks` }),
    (url) => keyOf({ issuer: url })().catch((error: unknown) => error),
  ],
];

describe.each(COUNTERPARTS)('%s', (_name, begin, ask) => {
  test.each(TOO_LONG)('that %s counts as unavailable, and is not read on', async (_how, answer) => {
    let closed = false;
    const counterpart = await startLoopback((_request, response) => {
      response.on('close', () => {
        closed = true;
      });
      response.setHeader('Content-Type', 'application/json');
      answer(response, begin(counterpart.url));
    });
    const found = await ask(counterpart.url);

    const code = found instanceof KeysUnavailable ? 'authentication_unavailable' : codeOf(found);
    expect(code).toBe('authentication_unavailable');
    await until(() => closed);
    expect(counterpart.requests).toHaveLength(1);
  });
});

function codeOf(found: unknown): string | undefined {
  const { kind, ...rest } = found as Authentication; // what the two authenticators answer
  return kind === 'unavailable' && 'code' in rest ? rest.code : kind;
}

describe('a session in Redis', () => {
  test.each([
    [MAX_ANSWER_BYTES, 'principal'],
    [MAX_ANSWER_BYTES + 1, 'unavailable'],
  ])('of %i bytes is %s', async (bytes, kind) => {
    const stored = Buffer.from('{"user":"ada"}'.padEnd(bytes));
    const client = {
      getrangeBuffer: async (_key: string, from: number, to: number) => stored.subarray(from, to + 1),
      pttl: async () => 60_000,
    };
    const redis = { run: (task: (of: typeof client) => unknown) => task(client) };
    const authenticator = createSessionCookieAuthenticator({
      secrets: ['secret'],
      cookieName: 'connect.sid',
      subjectPath: 'user',
      keyPrefix: 'sess:',
      redis: redis as unknown as RedisLink, // it uses nothing else of it
    });
    const cookie = `connect.sid=${encodeURIComponent(`s:${sign('id', 'secret')}`)}`;

    expect((await authenticator.authenticate(requestWith({ cookie }), FROM)).kind).toBe(kind);
  });
});

describe('an answer', () => {
  test('of exactly 64 KiB is read', async () => {
    const { url } = await startLoopback((_request, response) => response.end('x'.repeat(MAX_ANSWER_BYTES)));

    expect(await (await counterpartFetch(url, {})).text()).toHaveLength(MAX_ANSWER_BYTES);
  });

  test('that refuses loses a body that is too long, and keeps its status and headers', async () => {
    const { url } = await startLoopback((_request, response) =>
      response.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end('x'.repeat(MAX_ANSWER_BYTES + 1)),
    );
    const response = await counterpartFetch(url, {});

    expect([response.status, response.headers.get('www-authenticate'), await response.text()]).toEqual([
      401,
      'Basic',
      '',
    ]);
  });

  test.each([204, 304])('with status %i has no body', async (status) => {
    const { url } = await startLoopback((_request, response) => response.writeHead(status).end());

    expect((await counterpartFetch(url, {})).body).toBeNull();
  });

  test('is as long at most as SECURITY.md says', () => {
    expect(readFileSync('SECURITY.md', 'utf8')).toContain(`\`AUTH_TIMEOUT_MS\`, ${MAX_ANSWER_BYTES / 1024} KiB`);
  });
});
