import { beforeAll, describe, expect, test } from 'vitest';
import { type RefusalCode, refusalCodes } from '../../../../shared/refusals.ts';
import { type Answer, parseAnswers } from '../../../support/http/http-answer.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts';
import { recordInRedis } from '../../../support/services/fleet.ts';
import type { InProcess, StoredTicket } from '../../../support/services/in-process.ts';
import { exchange, openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { ticketRefusals } from '../../ticket/refusal-cases.ts';
import { setStage } from '../stage.ts';
import { gatewayRefusals, type RefusalCase } from './refusal-cases.ts';

interface ExpectedAnswer {
  readonly status: number;
  readonly phrase: string;
  readonly retry: 'never' | 'reissue' | 'backoff';
  readonly retryAfter?: number;
  /** Besides those that every refusal has. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  /** Whether the answer names the ticket even where nothing was noted. */
  readonly ticketId?: true;
}

const unauthorized = (code: string) => ({
  status: 401,
  phrase: 'Unauthorized',
  retry: 'reissue' as const,
  headers: { 'www-authenticate': [`Ticket realm="oncegate", error="${code}"`] },
});
const forbidden = { status: 403, phrase: 'Forbidden', retry: 'never' as const, ticketId: true as const };
const busy = { status: 429, phrase: 'Too Many Requests', retry: 'backoff' as const, ticketId: true as const };
const unavailable = { status: 503, phrase: 'Service Unavailable', retry: 'backoff' as const, ticketId: true as const };

/** What the contract says of each code, written out once more. */
const answers: Partial<Record<RefusalCode, ExpectedAnswer>> = {
  handshake_malformed: { status: 400, phrase: 'Bad Request', retry: 'never' },
  upgrade_required: {
    status: 426,
    phrase: 'Upgrade Required',
    retry: 'never',
    headers: { upgrade: ['websocket'], connection: ['close', 'Upgrade'], 'sec-websocket-version': ['13'] },
  },
  method_not_allowed: { status: 405, phrase: 'Method Not Allowed', retry: 'never', headers: { allow: ['GET'] } },
  ticket_missing: unauthorized('ticket_missing'),
  ticket_malformed: unauthorized('ticket_malformed'),
  ticket_unknown: { ...unauthorized('ticket_unknown'), ticketId: true },
  ticket_expired: { ...unauthorized('ticket_expired'), ticketId: true },
  ticket_consumed: { ...unauthorized('ticket_consumed'), ticketId: true },
  ticket_revoked: { ...unauthorized('ticket_revoked'), ticketId: true },
  audience_refused: forbidden,
  path_refused: forbidden,
  origin_refused: forbidden,
  address_refused: forbidden,
  connection_limit: { ...busy, retryAfter: 5 },
  rate_limited: { ...busy, retryAfter: 60 },
  draining: { ...unavailable, retryAfter: 2 },
  overloaded: { ...unavailable, retryAfter: 5 },
  store_unavailable: { ...unavailable, retryAfter: 2 },
};

/** Codes that only a gateway with an upstream brings about: upstream/refusals.test.ts provokes them. */
const BEHIND = ['request_timeout', 'upstream_unreachable', 'upstream_timeout', 'upstream_refused'];

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

const recordOf = ({ id }: StoredTicket): Promise<Record<string, string>> => recordInRedis(redis, id);

const refusalLines = ({ log }: InProcess) => log.filter(({ event }) => event === 'refusal' || event === 'replay');

/** Whether the answer names the ticket: it does wherever one could be read. */
const isNamed = ({ code, record }: RefusalCase): boolean => answers[code]?.ticketId === true || record === 'noted';

function expectAnswer(response: Answer, row: RefusalCase, ticket: StoredTicket): void {
  const { code } = row;
  const answer = answers[code];
  if (answer === undefined) throw new Error(`no answer is written down for ${code}`);
  const { status, phrase, retry, retryAfter, headers = {} } = answer;

  expect(response.statusLine).toBe(`HTTP/1.1 ${status} ${phrase}`);
  const expected = {
    connection: ['close'],
    'content-type': ['application/problem+json'],
    'cache-control': ['no-store'],
    'x-content-type-options': ['nosniff'],
    'content-length': [String(Buffer.byteLength(response.body))],
    ...headers,
  };
  for (const [name, values] of Object.entries(expected))
    expect({ [name]: response.values(name) }).toEqual({ [name]: values });
  const names = [...Object.keys(expected), 'date', ...(retryAfter === undefined ? [] : ['retry-after'])];
  expect([...new Set(response.headers.map(([name]) => name))].sort()).toEqual(names.sort());

  const body = JSON.parse(response.body) as Record<string, unknown>; // a problem document is an object
  expect(body).toEqual({
    type: `urn:oncegate:problem:${code}`,
    title: expect.stringMatching(/\S/),
    status,
    code,
    detail: expect.stringMatching(/\S/),
    retry,
    ...(retryAfter !== undefined && { retry_after: Number(response.values('retry-after')[0]) }),
    ...(isNamed(row) && { ticket_id: ticket.id }),
  });
  if (code === 'rate_limited' || code === 'overloaded') {
    expect(body.retry_after).toBeGreaterThanOrEqual(1);
    expect(body.retry_after).toBeLessThanOrEqual(60);
  } else {
    expect(body.retry_after).toBe(retryAfter);
  }
  expect(response.body).not.toContain(ticket.secret);
  expect(`${body.title} ${body.detail}`).not.toMatch(/\.example|evil|\/room/);
}

function expectRecord(after: Record<string, string>, before: Record<string, string>, row: RefusalCase): void {
  if (row.record === 'untouched') {
    expect(after).toEqual(before);
    return;
  }
  const status = String(answers[row.code]?.status);
  const attempt = { attempts: '1', last_attempt_outcome: row.code, last_attempt_status: status };
  const fields =
    row.record === 'noted'
      ? { state: 'issued', ...attempt }
      : row.record === 'spent'
        ? { state: 'refused', ...attempt }
        : row.record;
  expect(after).toMatchObject({ last_attempt_gateway: 'gateway-1', last_attempt_address: '127.0.0.1', ...fields });
  expect(Number(after.last_attempt_at)).toBeGreaterThanOrEqual(Number(before.issued_at));
  if (row.record === 'noted') {
    // Nothing but the attempt is new: the ticket is as good as it was.
    const kept = Object.fromEntries(Object.entries(after).filter(([name]) => !name.startsWith('last_attempt_')));
    expect(kept).toEqual({ ...before, attempts: '1' });
  }
}

describe('a gateway refuses', () => {
  test.each(gatewayRefusals.map((row) => [row.name, row.code, row] as const))('%s: %s', async (_name, _code, row) => {
    const stage = await setStage(redis, row);
    const { gateway, ticket } = stage;
    const before = await recordOf(ticket);
    await row.before?.(stage);
    // What the situation itself has written belongs to it; a hanging Redis can not be asked.
    const situation = row.record === 'untouched' ? await recordOf(ticket) : before;
    const counted = await gateway.series('oncegate_handshakes_total');
    const replays = await gateway.metric('oncegate_replays_total');
    const logged = refusalLines(gateway).length;

    const client = await openRaw(gateway.port);
    client.send(row.bytes(ticket));
    await row.meanwhile?.(stage);
    await client.closed;

    const [response, ...more] = parseAnswers(client.received);
    expect(more).toEqual([]);
    if (response === undefined) throw new Error('no response');
    expectAnswer(response, row, ticket);

    await until(async () => {
      expectRecord(await recordOf(ticket), situation, row);
      return true;
    });

    const series = `oncegate_handshakes_total{outcome="${row.code}"}`;
    const others = row.name.startsWith('more upgrades') ? { 'oncegate_handshakes_total{outcome="admitted"}': 1 } : {};
    expect(await gateway.series('oncegate_handshakes_total')).toEqual({
      ...counted,
      ...others,
      [series]: (counted[series] ?? Number.NaN) + 1,
    });
    const replayed = row.code === 'ticket_consumed';
    expect(await gateway.metric('oncegate_replays_total')).toBe(replays + (replayed ? 1 : 0));

    const named = isNamed(row);
    const known = named && row.subject !== null;
    expect(refusalLines(gateway).slice(logged)).toEqual([
      {
        level: replayed ? 'warn' : 'info',
        time: expect.anything(),
        gateway: 'gateway-1',
        event: replayed ? 'replay' : 'refusal',
        code: row.code,
        ...(named && { ticket_id: ticket.id }),
        ...(known && { subject: ticket.subject }),
        ...(row.reason !== undefined && { reason: expect.stringContaining(row.reason) }),
      },
    ]);
    expect(JSON.stringify(gateway.log)).not.toContain(ticket.secret);
    expect(gateway.log.filter(({ event }) => event === 'fault')).toEqual([]);
  });

  test('a wrong secret exactly as it refuses a ticket that was never issued', async () => {
    const { gateway, ticket } = await setStage(redis);
    const never = `${ticket.id.slice(0, 21)}${ticket.id.endsWith('A') ? 'B' : 'A'}`;
    const answer = async (id: string) => {
      const target = `/?ticket=ogt_${id}.${'x'.repeat(32)}`;
      const [response] = await exchange(gateway.port, upgradeRequest({ target }));
      const headers = response?.headers.filter(([name]) => name !== 'date');
      return { ...response, headers, body: response?.body.replace(id, '<id>') };
    };

    expect(await answer(ticket.id)).toEqual(await answer(never));
  });

  test.each([
    ['without a ticket', () => '/', '1'],
    ['with the same ticket', ({ value }: StoredTicket) => `/?ticket=${value}`, '2'],
  ])(
    'an upgrade that is pipelined behind a plain request %s, with the ticket unspent',
    async (_name, target, attempts) => {
      const { gateway, ticket } = await setStage(redis);
      const before = await recordOf(ticket);
      const plain = `GET ${target(ticket)} HTTP/1.1\r\nHost: gateway.example\r\n\r\n`;
      const responses = await exchange(gateway.port, plain + upgradeRequest({ target: `/?ticket=${ticket.value}` }));

      expect(responses[0]?.statusLine).toBe('HTTP/1.1 426 Upgrade Required');
      expect(responses.slice(1).map(({ statusLine }) => statusLine)).not.toContain('HTTP/1.1 101 Switching Protocols');
      // The first answer closes the connection; what was asked behind it may be noted after that.
      await until(async () => (await recordOf(ticket)).attempts === attempts);
      expect(await recordOf(ticket)).toMatchObject({
        ...before,
        attempts,
        last_attempt_outcome: 'handshake_malformed',
      });
      expect(await gateway.metric('oncegate_handshakes_total{outcome="admitted"}')).toBe(0);
    },
  );

  test('a head that is too long with the limit in the detail', async () => {
    const { gateway, ticket } = await setStage(redis);
    const headers = { Cookie: `a=${'x'.repeat(33_000)}` };
    const [response] = await exchange(gateway.port, upgradeRequest({ target: `/?ticket=${ticket.value}`, headers }));

    expect(JSON.parse(String(response?.body))).toMatchObject({
      code: 'handshake_malformed',
      status: 400,
      detail: expect.stringContaining('32 KiB'),
    });
  });

  test('a HEAD with the headers of a GET and no body', async () => {
    const { gateway } = await setStage(redis);
    const client = await openRaw(gateway.port);
    client.send('HEAD / HTTP/1.1\r\nHost: gateway.example\r\n\r\n');
    await client.closed;

    expect(client.received.toString()).toMatch(/^HTTP\/1\.1 426 [\s\S]*Content-Length: \d+[\s\S]*\r\n\r\n$/);
  });

  test.each([
    ['an upgrade', '401 Unauthorized', {}],
    ['a plain request', '426 Upgrade Required', { Upgrade: null }],
  ])('%s whose client has closed its own side already, with a complete answer', async (_name, status, headers) => {
    const { gateway, ticket } = await setStage(redis);
    const client = await openRaw(gateway.port);
    client.socket.end(upgradeRequest({ target: `/?ticket=ogt_${ticket.id}.${'x'.repeat(32)}`, headers }));
    await client.closed;
    const [response] = parseAnswers(client.received);

    expect(response?.statusLine).toBe(`HTTP/1.1 ${status}`);
  });
});

test('an upgrade with more headers than Node reads by itself is admitted', async () => {
  const { gateway, ticket } = await setStage(redis);
  const client = await openRaw(gateway.port);
  const headers = { Cookie: `a=${'x'.repeat(31_000)}` };
  client.send(upgradeRequest({ target: `/?ticket=${ticket.value}`, headers }));

  await until(() => client.received.includes('"hello"'), { what: 'the hello' });
});

test('every refusal of the table is provoked, but for those of an upstream and of the clock', () => {
  const provoked = new Set<string>([...gatewayRefusals, ...ticketRefusals].map(({ code }) => code));

  expect([...provoked].sort()).toEqual(refusalCodes.filter((code) => !BEHIND.includes(code)).sort());
});
