import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKeys } from '../../../../shared/store/keys.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { type HttpReply, type HttpRequestOptions, httpRequest } from '../../../support/http/http-request.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { until } from '../../../support/machine/wait.ts';
import { startTcpProxy } from '../../../support/proxies/tcp-proxy.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import { type Environment, type InProcess, runTicketService } from '../../../support/services/in-process.ts';

const ADDRESS_LIMIT = 'MAX_REQUESTS_PER_MINUTE_PER_ADDRESS';
const SUBJECT_LIMIT = 'MAX_REQUESTS_PER_MINUTE_PER_SUBJECT';

async function list(
  { port }: Pick<InProcess, 'port'>,
  subject: string | null = 'ada',
  { headers = {}, ...options }: HttpRequestOptions = {},
): Promise<HttpReply> {
  const authorization = subject === null ? {} : { Authorization: await bearer(subject) };
  return httpRequest(port, '/tickets', { ...options, headers: { ...authorization, ...headers } });
}

const statuses = (replies: readonly HttpReply[]): number[] => replies.map(({ status }) => status);

async function several(count: number, send: () => Promise<HttpReply>): Promise<HttpReply[]> {
  const replies: HttpReply[] = [];
  for (let index = 0; index < count; index += 1) replies.push(await send());
  return replies;
}

interface Limit {
  readonly policy: string;
  readonly parameters: Readonly<Record<string, number>>;
}

/**
 * A field of draft-ietf-httpapi-ratelimit-headers: a non-empty list (RFC 9651 §3.1) of strings with
 * integers for parameters, which may be spread over several lines (§4.2).
 */
function limitsOf(reply: HttpReply, name: 'RateLimit' | 'RateLimit-Policy'): Limit[] {
  const item = /^"([a-z-]+)"((?:;[a-z]+=\d+)+)$/;
  return reply.lines(name).flatMap((line) =>
    line.split(/[ \t]*,[ \t]*/).map((member) => {
      const [, policy = '', text = ''] = item.exec(member) ?? [];
      if (policy === '') throw new Error(`not an item with parameters: ${member}`);
      const pairs = text
        .slice(1)
        .split(';')
        .map((pair): [string, number] => [pair.slice(0, 1), Number(pair.slice(2))]);
      return { policy, parameters: Object.fromEntries(pairs) };
    }),
  );
}

function expectRateLimited(reply: HttpReply): void {
  const { status, body, headers } = reply;
  expect({ status, ...body }).toMatchObject({ status: 429, code: 'rate_limited', retry: 'backoff' });
  expect(headers['retry-after']).toMatch(/^\d+$/);
  expect(Number(headers['retry-after'])).toBe(body.retry_after);
  expect(body.retry_after).toBeGreaterThanOrEqual(1);
  expect(body.retry_after).toBeLessThanOrEqual(60);
}

/** A service on a store whose clock only the test moves. */
async function runAt(env: Environment): Promise<{ service: InProcess; advance(ms: number): void }> {
  let time = 1_800_000_000_000;
  const store = new MemoryStore({ retentionMs: 60_000, leaseMs: 60_000, historyPerSubject: 1_000, now: () => time });
  const service = await runTicketService(env, { store });
  return {
    service,
    advance(ms) {
      time += ms;
    },
  };
}

describe('the rate of an address', () => {
  test('lets its number of requests through, whoever sends them, and refuses the next', async () => {
    const service = await runTicketService({ [ADDRESS_LIMIT]: '4' });
    const replies = [
      await list(service, 'ada'),
      await list(service, 'bob'),
      await list(service, null),
      await list(service, null, { headers: { Authorization: 'Bearer nonsense' } }),
      await list(service, 'ada'),
      await list(service, null),
    ];

    expect(statuses(replies)).toEqual([200, 200, 401, 401, 429, 429]);
    for (const reply of replies.slice(4)) expectRateLimited(reply);
    expect(await service.metric('oncegate_requests_refused_total{code="rate_limited"}')).toBe(2);
  });

  test('is shared by all routes that need a caller, and does not count the others', async () => {
    const service = await runTicketService({ [ADDRESS_LIMIT]: '3' });
    const headers = { Authorization: await bearer('ada') };
    const send = (method: string, path: string) => httpRequest(service.port, path, { method, headers });
    expect((await send('POST', '/tickets')).status).toBe(201);
    expect((await send('GET', '/tickets/short')).status).toBe(404);
    expect((await send('DELETE', '/tickets/short')).status).toBe(404);

    expectRateLimited(await send('POST', '/tickets'));
    expectRateLimited(await send('POST', '/tickets/short/renew'));
    for (const path of ['/problems', '/problems/rate_limited']) expect((await send('GET', path)).status).toBe(200);
    expect((await send('GET', '/nothing')).status).toBe(404);
  });

  test('is counted for each address separately', async () => {
    const service = await runTicketService({ [ADDRESS_LIMIT]: '1' });
    expect((await list(service, 'ada', { from: '127.0.0.2' })).status).toBe(200);
    expect((await list(service, 'ada', { from: '127.0.0.2' })).status).toBe(429);

    expect((await list(service, 'ada', { from: '127.0.0.3' })).status).toBe(200);
  });

  test('counts the client behind a trusted proxy, whatever X-Forwarded-For the client sends', async () => {
    const forwarded = (value: string) => ({ headers: { 'X-Forwarded-For': value } });
    const service = await runTicketService({ [ADDRESS_LIMIT]: '1', TRUST_PROXY: '127.0.0.1' });
    expect((await list(service, 'ada', forwarded('198.51.100.1, 192.0.2.7'))).status).toBe(200);
    expect((await list(service, 'ada', forwarded('198.51.100.2, 192.0.2.7'))).status).toBe(429);
    expect((await list(service, 'ada', forwarded('192.0.2.8'))).status).toBe(200);

    const untrusting = await runTicketService({ [ADDRESS_LIMIT]: '1' });
    expect((await list(untrusting, 'ada', forwarded('192.0.2.7'))).status).toBe(200);
    expect((await list(untrusting, 'ada', forwarded('192.0.2.8'))).status).toBe(429);
  });

  test('ends with its window, a minute after the first request and not after the last', async () => {
    const { service, advance } = await runAt({ [ADDRESS_LIMIT]: '2' });
    expect(statuses(await several(3, () => list(service)))).toEqual([200, 200, 429]);

    advance(59_001);
    const last = await list(service);
    expectRateLimited(last);
    expect(last.headers['retry-after']).toBe('1');
    advance(998);
    expectRateLimited(await list(service));
    advance(1);
    expect(statuses(await several(3, () => list(service)))).toEqual([200, 200, 429]);
  });
});

describe('the rate of a subject', () => {
  test('lets its number of requests through, from any address, and refuses the next', async () => {
    const service = await runTicketService({ [SUBJECT_LIMIT]: '2' });
    const from = (address: string) => list(service, 'ada', { from: address });
    const replies = [await from('127.0.0.1'), await from('127.0.0.2'), await from('127.0.0.3')];

    expect(statuses(replies)).toEqual([200, 200, 429]);
    expectRateLimited(await from('127.0.0.4'));
    expect((await list(service, 'bob')).status).toBe(200);
    expect(service.log.findLast(({ event }) => event === 'refusal')).toMatchObject({
      event: 'refusal',
      code: 'rate_limited',
      subject: 'ada',
    });
  });

  test('does not count requests that are not signed in', async () => {
    const service = await runTicketService({ [SUBJECT_LIMIT]: '1' });
    await several(3, () => list(service, null, { headers: { Authorization: 'Bearer nonsense' } }));

    expect((await list(service)).status).toBe(200);
  });

  test('issues nothing when it refuses', async () => {
    const service = await runTicketService({ [SUBJECT_LIMIT]: '1' });
    await list(service);
    expectRateLimited(await list(service, 'ada', { method: 'POST' }));

    expect(await service.metric('oncegate_tickets_issued_total')).toBe(0);
  });

  test('ends with its window', async () => {
    const { service, advance } = await runAt({ [SUBJECT_LIMIT]: '1' });
    expect(statuses(await several(2, () => list(service)))).toEqual([200, 429]);

    advance(60_000);
    expect(statuses(await several(2, () => list(service)))).toEqual([200, 429]);
  });
});

describe('the RateLimit fields', () => {
  test('are absent for a rate without a limit', async () => {
    const service = await runTicketService({ [SUBJECT_LIMIT]: '0' });
    const reply = await list(service);

    expect([reply.status, reply.headers.ratelimit, reply.headers['ratelimit-policy']]).toEqual([
      200,
      undefined,
      undefined,
    ]);
  });

  test('tell each policy and what remains, on every answer', async () => {
    const { service, advance } = await runAt({ [ADDRESS_LIMIT]: '4', [SUBJECT_LIMIT]: '2' });
    const replies: HttpReply[] = [];
    for (let index = 0; index < 3; index += 1) {
      replies.push(await list(service));
      advance(10_500);
    }

    for (const reply of replies) {
      expect(limitsOf(reply, 'RateLimit-Policy')).toEqual([
        { policy: 'address', parameters: { q: 4, w: 60 } },
        { policy: 'subject', parameters: { q: 2, w: 60 } },
      ]);
    }
    expect(statuses(replies)).toEqual([200, 200, 429]);
    expect(replies.map((reply) => limitsOf(reply, 'RateLimit').map(({ parameters }) => parameters))).toEqual([
      [
        { r: 3, t: 60 },
        { r: 1, t: 60 },
      ],
      [
        { r: 2, t: 50 },
        { r: 0, t: 50 },
      ],
      [
        { r: 1, t: 39 },
        { r: 0, t: 39 },
      ],
    ]);
    // Never earlier than the reset (§6 of the draft).
    expect(replies[2]?.headers['retry-after']).toBe('39');
  });

  test('tell the rate of the address only if nobody is signed in, and never go below zero', async () => {
    const service = await runTicketService({ [ADDRESS_LIMIT]: '1', [SUBJECT_LIMIT]: '5' });
    const replies = await several(3, () => list(service, null));

    expect(statuses(replies)).toEqual([401, 429, 429]);
    for (const reply of replies) {
      expect(limitsOf(reply, 'RateLimit-Policy')).toEqual([{ policy: 'address', parameters: { q: 1, w: 60 } }]);
      expect(limitsOf(reply, 'RateLimit')).toEqual([
        { policy: 'address', parameters: { r: 0, t: expect.any(Number) } },
      ]);
    }
  });
});

describe('two services on one Redis', () => {
  const keys = createKeys('oncegate:');
  const addressKey = keys.rate('address', '127.0.0.1');
  let redis: SharedRedis;

  beforeAll(async () => {
    redis = await workerRedis();
  });
  beforeEach(() => redis.client.flushall());

  test.each([ADDRESS_LIMIT, SUBJECT_LIMIT])('count together: %s', async (limit) => {
    const env = { REDIS_URL: redis.url, [limit]: '5' };
    const services = [await runTicketService(env), await runTicketService(env)];
    const replies = await Promise.all(services.flatMap((service) => [1, 2, 3, 4].map(() => list(service))));

    expect(replies.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(3);
  });

  test('begin anew when the window has ended in Redis', async () => {
    const service = await runTicketService({ REDIS_URL: redis.url, [ADDRESS_LIMIT]: '1' });
    expect(statuses(await several(2, () => list(service)))).toEqual([200, 429]);
    const left = await redis.client.pttl(addressKey);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);

    await redis.client.pexpire(addressKey, 1);
    await until(async () => (await redis.client.exists(addressKey)) === 0);
    expect(statuses(await several(2, () => list(service)))).toEqual([200, 429]);
  });

  test('hold nobody up for ever over a count that has lost its end', async () => {
    const service = await runTicketService({ REDIS_URL: redis.url, [ADDRESS_LIMIT]: '1' });
    await several(2, () => list(service));
    await redis.client.persist(addressKey);
    expectRateLimited(await list(service));

    expect(await redis.client.pttl(addressKey)).toBeGreaterThan(0);
  });

  test('count separately while Redis is down, and still limit', async () => {
    const proxy = await startTcpProxy(redis);
    const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}`, [ADDRESS_LIMIT]: '3' };
    const [first, second] = [await runTicketService(env), await runTicketService(env)];
    expect((await list(first)).status).toBe(200);

    proxy.muteNew = true;
    proxy.endConnections();
    await until(() => !first.store.ready && !second.store.ready);
    for (const service of [first, second]) {
      const replies = await several(5, () => list(service));
      // The caller is signed in, but Redis cannot issue.
      expect(statuses(replies)).toEqual([503, 503, 503, 429, 429]);
      expect(replies[0]?.body.code).toBe('store_unavailable');
      for (const reply of replies.slice(3)) expectRateLimited(reply);
      expect(replies.map((reply) => limitsOf(reply, 'RateLimit')[0]?.parameters.r)).toEqual([2, 1, 0, 0, 0]);
      expect(await service.metric('oncegate_store_errors_total{operation="count"}')).toBeGreaterThanOrEqual(5);
    }

    proxy.muteNew = false;
    proxy.endConnections();
    await until(() => first.store.ready && second.store.ready);
    // Redis has counted one request: two are left for both together.
    const after = [await list(first), await list(second), await list(first)];
    expect(statuses(after)).toEqual([200, 200, 429]);
  });
});
