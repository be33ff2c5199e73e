import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { IssueRequest } from '../../../../shared/store/store.ts';
import { splitHead } from '../../../support/http/http-answer.ts';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import { type Environment, runGateway, type StoredTicket, storeTicket } from '../../../support/services/in-process.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { type UpgradeRequestOptions, upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWithTicket, Refused } from '../../../support/sockets/web-socket.ts';

let redis: SharedRedis;

beforeAll(async () => {
  redis = await workerRedis();
});
beforeEach(async () => {
  await redis.call('FLUSHALL');
});

interface Row {
  readonly name: string;
  readonly env?: Environment;
  readonly issue?: Partial<IssueRequest>;
  readonly target?: (ticket: StoredTicket) => string;
  readonly headers?: UpgradeRequestOptions['headers'];
  /** Fields of the record afterwards. */
  readonly record?: Readonly<Record<string, string>>;
}

const rows: readonly Row[] = [
  {
    name: 'on the path that the ticket is for',
    issue: { path: '/room/7' },
    target: ({ value }) => `/room/7?a=1&ticket=${value}`,
  },
  {
    name: 'on that path behind the id segment',
    issue: { path: '/room/7' },
    target: ({ id, value }) => `/~${id}/room/7?ticket=${value}`,
  },
  {
    name: 'on the root behind the id segment alone',
    issue: { path: '/' },
    target: ({ id, value }) => `/~${id}?ticket=${value}`,
  },
  { name: 'with the audience of the gateway', env: { GATEWAY_AUDIENCE: 'chat' }, issue: { audience: 'chat' } },
  { name: 'with an audience, where the gateway has none', issue: { audience: 'chat' } },
  {
    name: 'from the host of the gateway, on another port',
    headers: { Origin: 'https://gateway.example:3000' },
    record: { last_attempt_origin: 'https://gateway.example:3000' },
  },
  {
    name: 'from an origin in the list',
    env: { ALLOWED_ORIGINS: 'https://a.example,https://app.example' },
    headers: { Origin: 'https://app.example' },
  },
  {
    name: 'from the origin that the ticket was issued to',
    env: { ALLOWED_ORIGINS: '*' },
    issue: { origin: 'https://app.example' },
    headers: { Origin: 'https://app.example' },
  },
  {
    name: 'from the host that a proxy of ours was asked for',
    env: { TRUST_PROXY: '127.0.0.0/8' },
    headers: { Origin: 'https://app.example', 'X-Forwarded-Host': 'app.example' },
  },
  {
    name: 'from the address that the ticket was issued to',
    env: { BIND_ADDRESS: 'true' },
    issue: { address: '127.0.0.1' },
  },
  {
    name: 'from that address behind two proxies of ours',
    env: { BIND_ADDRESS: 'true', TRUST_PROXY: '127.0.0.1,10.0.0.0/8' },
    issue: { address: '2001:db8::7' },
    headers: { 'X-Forwarded-For': '192.0.2.66, 2001:db8::7, 10.1.2.3' },
    record: { last_attempt_address: '2001:db8::7' },
  },
  {
    name: 'with the peer for its address, where nobody is a proxy of ours',
    headers: { 'X-Forwarded-For': '192.0.2.66' },
    record: { last_attempt_address: '127.0.0.1' },
  },
  {
    name: 'with the peer for its address, where a proxy of ours sends nonsense',
    env: { TRUST_PROXY: '127.0.0.1' },
    headers: { 'X-Forwarded-For': 'unknown' },
    record: { last_attempt_address: '127.0.0.1' },
  },
];

describe('a gateway admits a ticket', () => {
  test.each(rows.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    const gateway = await runGateway({ REDIS_URL: redis.url, GATEWAY_ID: 'gateway-1', ...row.env });
    const ticket = await storeTicket(gateway.store, row.issue);
    const target = row.target?.(ticket) ?? `/?ticket=${ticket.value}`;
    const client = await openRaw(gateway.port);
    client.send(upgradeRequest({ target, headers: row.headers ?? {} }));
    await until(() => client.received.includes('hello'));

    const { head } = splitHead(client.received);
    expect(head.statusLine).toBe('HTTP/1.1 101 Switching Protocols');
    expect(head.values('sec-websocket-accept')).toEqual(['s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']);
    const { id } = ticket;
    expect(await redis.client.hgetall(`oncegate:ticket:{${id.slice(0, 11)}}${id.slice(11)}`)).toMatchObject({
      state: 'open',
      attempts: '1',
      last_attempt_outcome: 'admitted',
      last_attempt_status: '101',
      last_attempt_gateway: 'gateway-1',
      ...row.record,
    });
    expect(client.received.toString('latin1')).not.toContain(ticket.secret);
    expect(JSON.stringify(gateway.log)).not.toContain(ticket.secret);
  });

  test('that an early refusal has left unspent', async () => {
    const gateway = await runGateway({ REDIS_URL: redis.url });
    const ticket = await storeTicket(gateway.store);
    await expect(openWithTicket(gateway.port, ticket.value, { origin: 'http://evil.example' })).rejects.toMatchObject({
      status: 403,
      code: 'origin_refused',
    });
    await openWithTicket(gateway.port, ticket.value);

    expect(await gateway.store.read(ticket.id)).toMatchObject({ state: 'open', attempts: 2 });
  });

  test('and records nothing of an Origin that is none, admitted or refused', async () => {
    const origin = `x${'y'.repeat(16_000)}`;
    const gateway = await runGateway({ REDIS_URL: redis.url, ALLOWED_ORIGINS: '*' });
    const strict = await runGateway({ REDIS_URL: redis.url });
    const [admitted, refused] = [await storeTicket(gateway.store), await storeTicket(gateway.store)];
    await openWithTicket(gateway.port, admitted.value, { origin });
    await expect(openWithTicket(strict.port, refused.value, { origin })).rejects.toMatchObject({ status: 403 });

    for (const { id } of [admitted, refused]) {
      const record = await gateway.store.read(id);
      expect(record).toMatchObject({ attempts: 1 });
      expect(record?.lastAttempt).not.toHaveProperty('origin');
    }
  });

  test('as often as there is room, and not once more', async () => {
    const gateway = await runGateway({ REDIS_URL: redis.url, MAX_CONNECTIONS: '5' });
    const attempts = Array.from({ length: 20 }, async () =>
      openWithTicket(gateway.port, (await storeTicket(gateway.store)).value),
    );
    const outcomes = await Promise.allSettled(attempts);

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(refused.every((reason) => reason instanceof Refused && reason.code === 'connection_limit')).toBe(true);
    expect(await gateway.metric('oncegate_connections_open')).toBe(5);
  });

  test('once, however many present it at the same moment', async () => {
    const gateway = await runGateway({ REDIS_URL: redis.url });
    const ticket = await storeTicket(gateway.store);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () => openWithTicket(gateway.port, ticket.value)),
    );

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await gateway.metric('oncegate_replays_total')).toBe(49);
    expect(await gateway.store.read(ticket.id)).toMatchObject({ state: 'open', attempts: 50 });
  });
});

test('every outcome of a handshake is counted from zero', async () => {
  const gateway = await runGateway();
  const series = await gateway.series('oncegate_handshakes_total');

  expect(Object.keys(series).length).toBeGreaterThan(25);
  expect(new Set(Object.values(series))).toEqual(new Set([0]));
});
