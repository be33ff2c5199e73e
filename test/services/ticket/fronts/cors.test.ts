import { describe, expect, test } from 'vitest';
import { type HttpReply, type HttpRequestOptions, httpRequest } from '../../../support/http/http-request.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { type InProcess, runTicketService, storeTicket } from '../../../support/services/in-process.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';

const APP = 'https://app.example';
const OTHER = 'https://other.example:8443';
const LISTED = { ALLOWED_ORIGINS: `${APP},${OTHER}` };
const EXPOSED = ['Location', 'Retry-After', 'WWW-Authenticate', 'RateLimit', 'RateLimit-Policy'];

const listOf = (value: unknown): string[] => (typeof value === 'string' ? value.split(/\s*,\s*/) : []);

/** The headers of an answer that decide about reading it from another origin. */
function crossOriginOf({ headers }: HttpReply): Record<string, unknown> {
  return {
    origin: headers['access-control-allow-origin'],
    credentials: headers['access-control-allow-credentials'],
    varies: listOf(headers.vary).includes('Origin'),
  };
}

const readable = (origin: string) => ({ origin, credentials: 'true', varies: true });
const UNREADABLE = { origin: undefined, credentials: undefined, varies: true };

/** One request for each kind of outcome, with its status. */
interface Outcome {
  readonly name: string;
  readonly status: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly before?: (service: InProcess) => Promise<unknown>;
  readonly path?: string;
  readonly request?: HttpRequestOptions;
  /** Sends no credentials. */
  readonly anonymous?: true;
}

const outcomes: readonly Outcome[] = [
  { name: 'an issue', status: 201 },
  { name: 'a list', status: 200, request: { method: 'GET' } },
  { name: 'a page of the catalogue', status: 200, path: '/problems', request: { method: 'GET' }, anonymous: true },
  { name: 'no credentials', status: 401, anonymous: true },
  { name: 'wrong credentials', status: 401, request: { headers: { Authorization: 'Bearer nonsense' } } },
  { name: 'another subject', status: 403, request: { body: '{"subject":"bob"}' } },
  { name: 'a body that is no JSON', status: 400, request: { body: '{' } },
  { name: 'a field out of bounds', status: 422, request: { body: '{"ttl_seconds":0}' } },
  { name: 'a long body', status: 413, request: { body: `{"claims":{"a":"${'x'.repeat(17_000)}"}}` } },
  { name: 'an unknown path', status: 404, path: '/nothing', anonymous: true },
  { name: 'an unknown ticket', status: 404, path: '/tickets/short', request: { method: 'GET' } },
  { name: 'another method', status: 405, request: { method: 'PUT' } },
  {
    name: 'one unspent ticket too many',
    status: 429,
    env: { MAX_PENDING_PER_SUBJECT: '1' },
    before: ({ store }) => storeTicket(store),
  },
  {
    name: 'too many requests of an address',
    status: 429,
    env: { MAX_REQUESTS_PER_MINUTE_PER_ADDRESS: '1' },
    before: ({ port }) => httpRequest(port, '/tickets'),
  },
  {
    name: 'too many requests of a subject',
    status: 429,
    env: { MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '1' },
    before: async ({ port }) => httpRequest(port, '/tickets', { headers: { Authorization: await bearer('ada') } }),
  },
  { name: 'a store that is away', status: 503, env: { REDIS_URL: 'redis://127.0.0.1:1' } },
];

const OWN_HEADERS = ['authorization', 'content-type', 'x-requested-with', 'x-oncegate'];
const lower = (text: string): string => text.toLowerCase();

async function send(service: InProcess, origin: string | undefined, outcome: Outcome): Promise<HttpReply> {
  const { path = '/tickets', request = {}, anonymous } = outcome;
  return httpRequest(service.port, path, {
    method: 'POST',
    ...request,
    headers: {
      ...(!anonymous && { Authorization: await bearer('ada') }),
      ...(origin !== undefined && { Origin: origin }),
      ...request.headers,
    },
  });
}

describe('an answer to another origin', () => {
  for (const outcome of outcomes) {
    const { name, status, env, before } = outcome;
    const run = async (): Promise<InProcess> => {
      const service = await runTicketService({ ...LISTED, ...env }, { storeIsAway: status === 503 });
      await before?.(service);
      return service;
    };

    test.each([APP, OTHER])(`may be read by a listed origin: ${name}, by %s`, async (origin) => {
      const answer = await send(await run(), origin, outcome);

      expect(answer.status).toBe(status);
      expect(crossOriginOf(answer)).toEqual(readable(origin));
      expect(listOf(answer.headers['access-control-expose-headers']).sort()).toEqual([...EXPOSED].sort());
    });

    test.each([undefined, 'https://evil.example'])(
      `may not be read by another origin: ${name}, by %s`,
      async (origin) => {
        const answer = await send(await run(), origin, outcome);

        expect(answer.status).toBe(status);
        expect(crossOriginOf(answer)).toEqual(UNREADABLE);
      },
    );
  }

  // Each resembles a listed origin.
  test.each([
    'http://app.example',
    'https://app.example:443',
    'https://app.example:8443',
    'https://app.example/',
    'https://APP.example',
    'https://app.example.evil.example',
    'https://evilapp.example',
    'https://a.app.example',
    'https://other.example',
    `${APP},${OTHER}`,
    `${APP} ${OTHER}`,
    'null',
    '*',
    '',
  ])('may not be read by %j', async (origin) => {
    const service = await runTicketService(LISTED);
    const { headers } = await httpRequest(service.port, '/tickets', { headers: { Origin: origin } });

    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(listOf(headers.vary)).toContain('Origin');
  });

  test('may not be read if no origin is listed', async () => {
    const service = await runTicketService();
    for (const origin of [APP, `http://127.0.0.1:${service.port}`]) {
      expect(crossOriginOf(await httpRequest(service.port, '/tickets', { headers: { Origin: origin } }))).toEqual(
        UNREADABLE,
      );
    }
  });

  test.each([APP, OTHER])('allows %s the headers that its preflight asks for', async (origin) => {
    const service = await runTicketService(LISTED);
    const asked = ['traceparent', 'sentry-trace', 'baggage', 'x-csrf-token', 'authorization'];
    const answer = await preflight(service, origin, { headers: asked.join(', ') });

    expect(listOf(answer.headers['access-control-allow-headers']).map(lower)).toEqual(expect.arrayContaining(asked));
  });

  test.each([
    ['an origin that is not listed', 'https://evil.example', 'traceparent'],
    ['what is no name', APP, 'a b, x:y, "q", (z)'],
    ['names without end', APP, `${'x'.repeat(65)}`],
    ['more than 32 names', APP, `${Array.from({ length: 40 }, (_, index) => `a-${index}`).join(',')},too-many`],
  ])('allows nothing more for %s', async (_, origin, asked) => {
    const { headers } = await preflight(await runTicketService(LISTED), origin, { headers: asked });
    const allowed = listOf(headers['access-control-allow-headers']).map(lower);

    expect(allowed.filter((name) => !OWN_HEADERS.includes(name) && !/^a-\d+$/.test(name))).toEqual([]);
    expect(allowed.length).toBeLessThanOrEqual(36);
  });

  test('is logged once a minute for each origin that is not listed', async () => {
    const service = await runTicketService(LISTED);
    const host = `127.0.0.1:${service.port}`;
    const from = (origin: string) => httpRequest(service.port, '/tickets', { headers: { Origin: origin, Host: host } });
    for (const origin of ['https://evil.example', 'https://evil.example', 'null', APP, `http://${host}`, 'nonsense']) {
      await from(origin);
    }
    await preflight(service, 'https://late.example');

    const lines = service.log.filter(({ event }) => event === 'origin_not_listed');
    expect(lines.map(({ origin }) => origin)).toEqual([
      'https://evil.example',
      'null',
      'malformed',
      'https://late.example',
    ]);
    expect(lines[0]).toMatchObject({ level: 'warn', setting: 'ALLOWED_ORIGINS', host });
  });

  test.each([
    ['a head of 40 KiB', `Cookie: a=${'x'.repeat(40_000)}`, /32 KiB/],
    ['a header without a name', ': x', /./],
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 2', /./],
    ['a control character', 'X-A: a\u0001b', /./],
  ])('is a problem document that the page can read: to %s', async (_, line, detail) => {
    const service = await runTicketService(LISTED);
    const client = await RawClient.send(
      service.port,
      `POST /tickets HTTP/1.1\r\nHost: a\r\nOrigin: ${APP}\r\n${line}\r\n\r\n`,
    );
    const outcome = await client.outcome;
    await client.closed;

    const [answer] = outcome.kind === 'refused' ? outcome.answers : [];
    expect(answer?.status).toBe(400);
    const text = String(client.received);
    expect(text).toContain(`Access-Control-Allow-Origin: ${APP}`);
    expect(text).toContain('Access-Control-Allow-Credentials: true');
    const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
    expect(body).toMatchObject({ code: 'request_malformed', status: 400 });
    expect(body.detail).toMatch(detail);
  });

  test('comes to a request with 30 KiB of cookies', async () => {
    const service = await runTicketService(LISTED);
    const headers = { Origin: APP, Authorization: await bearer('ada'), Cookie: `a=${'x'.repeat(30_000)}` };

    expect((await httpRequest(service.port, '/tickets', { method: 'POST', headers })).status).toBe(201);
  });

  test('exposes every header that a page could need', async () => {
    const service = await runTicketService({ ...LISTED, MAX_REQUESTS_PER_MINUTE_PER_ADDRESS: '2' });
    const issue: Outcome = { name: '', status: 0 };
    const answers = [
      await send(service, APP, issue),
      await send(service, APP, { ...issue, anonymous: true }),
      await send(service, APP, issue),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 401, 429]);

    // Headers that every page may read (Fetch standard), and headers for browsers only.
    const others =
      /^(?:cache-control|content-(?:length|type)|access-control-.*|vary|date|connection|keep-alive|content-security-policy|cross-origin-.*|origin-agent-cluster|referrer-policy|strict-transport-security|x-.*)$/;
    const names = new Set(answers.flatMap(({ headers }) => Object.keys(headers)).filter((name) => !others.test(name)));
    expect([...names].sort()).toEqual(EXPOSED.map((name) => name.toLowerCase()).sort());
  });
});

describe('ALLOWED_ORIGINS=*', () => {
  const anybody = { ALLOWED_ORIGINS: '*' };

  test.each(['*', `*,${APP}`, `${APP},*`])(
    'lets any page read without credentials, and none with them (%s)',
    async (list) => {
      const service = await runTicketService({ ALLOWED_ORIGINS: list });
      for (const origin of [undefined, APP, 'https://evil.example']) {
        const { status, headers } = await send(service, origin, { name: '', status: 0 });

        expect(status).toBe(201);
        expect(headers['access-control-allow-origin']).toBe('*');
        expect(headers['access-control-allow-credentials']).toBeUndefined();
      }
    },
  );

  test('answers a preflight the same way', async () => {
    const service = await runTicketService(anybody);
    const { status, headers } = await preflight(service, APP);

    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
  });
});

function preflight(
  { port }: InProcess,
  origin: string,
  { path = '/tickets', method = 'POST', headers = 'authorization,content-type' } = {},
): Promise<HttpReply> {
  return httpRequest(port, path, {
    method: 'OPTIONS',
    headers: { Origin: origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': headers },
  });
}

describe('a preflight', () => {
  test.each(['/tickets', '/tickets/AAAAAAAAAAAAAAAAAAAAAA', '/tickets/AAAAAAAAAAAAAAAAAAAAAA/renew', '/problems'])(
    'of %s is answered without credentials, for a listed origin',
    async (path) => {
      const service = await runTicketService(LISTED);
      const answer = await preflight(service, APP, { path });

      expect([answer.status, answer.text]).toEqual([204, '']);
      expect(crossOriginOf(answer)).toEqual(readable(APP));
      expect(listOf(answer.headers['access-control-allow-methods']).sort()).toEqual(['DELETE', 'GET', 'POST']);
      // Chromium caches a preflight for two hours at most.
      expect(answer.headers['access-control-max-age']).toBe('7200');
      expect(await service.series('oncegate_requests_refused_total')).not.toContain(1);
    },
  );

  test.each(['authorization', 'content-type', 'x-requested-with', 'x-oncegate'])(
    'allows the header %s that a page needs',
    async (header) => {
      const service = await runTicketService(LISTED);
      const { headers } = await preflight(service, APP, { headers: header });

      expect(listOf(headers['access-control-allow-headers']).map((name) => name.toLowerCase())).toContain(header);
    },
  );

  test.each(['https://evil.example', 'null', 'http://app.example'])('allows nothing to %s', async (origin) => {
    const service = await runTicketService(LISTED);

    expect(crossOriginOf(await preflight(service, origin))).toEqual(UNREADABLE);
  });

  test('counts towards no rate', async () => {
    const service = await runTicketService({ ...LISTED, MAX_REQUESTS_PER_MINUTE_PER_ADDRESS: '1' });
    for (let index = 0; index < 5; index += 1) {
      const { status, headers } = await preflight(service, APP);
      expect([status, headers.ratelimit]).toEqual([204, undefined]);
    }

    expect((await send(service, APP, { name: '', status: 0 })).status).toBe(201);
    expect((await send(service, APP, { name: '', status: 0 })).status).toBe(429);
    expect((await preflight(service, APP)).status).toBe(204);
  });

  test('is answered while the store is down', async () => {
    const service = await runTicketService({ ...LISTED, REDIS_URL: 'redis://127.0.0.1:1' }, { storeIsAway: true });

    expect((await preflight(service, APP)).status).toBe(204);
  });

  test('is an OPTIONS request that asks about a method', async () => {
    const service = await runTicketService(LISTED);
    const answer = await httpRequest(service.port, '/tickets', { method: 'OPTIONS', headers: { Origin: APP } });

    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD, POST']);
    expect(crossOriginOf(answer)).toEqual(readable(APP));
  });
});

describe('with a pattern of ALLOWED_ORIGINS an answer', () => {
  test.each([
    ['https://a.tenants.example', readable('https://a.tenants.example')],
    ['https://a.b.tenants.example', UNREADABLE],
    ['https://tenants.example', UNREADABLE],
    ['https://*.tenants.example', UNREADABLE],
    ['self', UNREADABLE],
  ])('to %s may be read or not, as the pattern says', async (origin, expected) => {
    const { port } = await runTicketService({ ALLOWED_ORIGINS: 'https://*.tenants.example,self' });

    expect(crossOriginOf(await httpRequest(port, '/problems', { headers: { Origin: origin } }))).toEqual(expected);
  });
});
