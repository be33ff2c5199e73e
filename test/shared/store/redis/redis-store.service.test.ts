import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordFields } from '../../../../shared/store/record.ts';
import { RedisLink } from '../../../../shared/store/redis/redis-link.ts';
import { ANNOUNCEMENT_MS, RedisStore } from '../../../../shared/store/redis/redis-store.ts';
import { scriptNames } from '../../../../shared/store/scripts.ts';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, startRedis, workerRedis } from '../../../support/redis/redis.ts';
import { describeStore } from '../contract/contract.ts';
import { DEFAULTS } from '../contract/harness.ts';
import { parseScript } from '../lua-header.ts';
import { closeOf, consumeOf, issued, issueOf, mint, noteOf, opened } from '../requests.ts';
import { createRedisHarness, type RedisHarness } from './redis-harness.ts';

let redis: SharedRedis;
let harness: RedisHarness;
/** Commands of scripts on undeclared keys, as MONITOR prints them. */
const undeclared = new Set<string>();
let touched = 0;
let monitor: Redis;

afterAll(() => monitor.disconnect());

beforeAll(async () => {
  redis = await workerRedis();
  monitor = await redis.client.monitor();
  monitor.on('error', () => {});
  let declared = new Set<string>();
  monitor.on('monitor', (_time: string, [command = '', ...args]: string[], source: string) => {
    if (/^eval(sha)?$/i.test(command)) {
      declared = new Set(args.slice(2, 2 + Number(args[1])));
    } else if (source === 'lua' && command.toUpperCase() !== 'TIME') {
      touched += 1;
      if (!declared.has(args[0] ?? '')) undeclared.add([command, ...args].join(' '));
    }
  });
  harness = createRedisHarness({
    address: { kind: 'single', url: redis.url },
    clientOf: async () => redis.client,
    clients: () => [redis.client],
  });
});

describeStore('the Redis store', async () => harness);

// It must follow the suite, as it checks what the scripts did in the suite.
describe('the contract suite', () => {
  test('makes no script touch an undeclared key', () => {
    expect(touched).toBeGreaterThan(1_000);
    expect([...undeclared]).toStrictEqual([]);
  });

  for (const name of scriptNames) {
    test(`exercises every return in the header of ${name}.lua, and sees no other`, () => {
      expect([...(harness.outcomes.get(name) ?? [])].sort()).toStrictEqual([...parseScript(name).outcomes].sort());
    });
  }
});

describe('the keys in Redis', () => {
  const ttl = (key: string): Promise<number> => redis.client.pttl(key);

  test('of a ticket live until its expiry plus the retention', async () => {
    const store = await harness.createStore({ retentionMs: 5_000 });
    const keys = harness.keysOf(store);
    const { id } = await issued(store, { ttlMs: 10_000 });

    expect(await ttl(keys.ticket(id))).toBeGreaterThan(14_000);
    expect(await ttl(keys.ticket(id))).toBeLessThanOrEqual(15_000);
    expect(await ttl(keys.pending(id))).toBeGreaterThan(14_000);
    expect(await ttl(keys.pending(id))).toBeLessThanOrEqual(15_000);
  });

  test('of unspent tickets live until the longest expiry', async () => {
    const store = await harness.createStore();
    await issued(store, { ttlMs: 20_000 });
    const { id } = await issued(store, { ttlMs: 5_000 });

    expect(await ttl(harness.keysOf(store).pending(id))).toBeGreaterThan(19_000);
  });

  test('of open connections live until the longest lease', async () => {
    const store = await harness.createStore({ leaseMs: 10_000, retentionMs: 5_000 });
    const keys = harness.keysOf(store);
    const { id } = await opened(store, {}, 'ada', { ttlMs: 1_000 });

    expect(await ttl(keys.connections(id))).toBeGreaterThan(9_000);
    expect(await ttl(keys.connections(id))).toBeLessThanOrEqual(10_000);
    expect(await ttl(keys.ticket(id))).toBeGreaterThan(14_000);
    expect(await ttl(keys.ticket(id))).toBeLessThanOrEqual(15_000);
  });

  test('never live for ever, whatever is done to them', async () => {
    const store = await harness.createStore();
    const at = await harness.now();
    const lost = { ...mint(), attemptId: 'a', gatewayId: 'g', openedAt: at, sessionExpiresAt: at + 1_000 };
    await store.lease(lost);
    const fallen = { ...(await issued(store)), attemptId: 'a', gatewayId: 'g', openedAt: at, sessionExpiresAt: at };
    await store.lease(fallen);
    await store.close(closeOf(lost));
    await store.consume(consumeOf(fallen));
    await store.note(noteOf(fallen));
    await store.revoke({ id: fallen.id });
    await store.announce({ gatewayId: 'g', startedAt: at, version: '1', connections: 0, draining: false });
    const names = await redis.client.keys(`${harness.prefixOf(store)}*`);

    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(await ttl(name), name).toBeGreaterThan(0);
  });

  test('of one subject are all in one hash slot', async () => {
    const store = await harness.createStore();
    await issued(store);
    await opened(store);
    const names = await redis.client.keys(`${harness.prefixOf(store)}*`);
    const tags = names.map((name) => /\{(.{11})\}/.exec(name)?.[1]);

    expect(names).toHaveLength(4);
    expect(new Set(tags).size).toBe(1);
  });
});

describe('the record in Redis', () => {
  test('has only fields of the table, and none is empty', async () => {
    const store = await harness.createStore();
    const { id } = await opened(store, { origin: '', address: '' }, 'ada', { origin: '', claims: '' });
    await store.close({ ...closeOf(await opened(store)), closeReason: '' });
    for (const name of await redis.client.keys(`${harness.prefixOf(store)}ticket:*`)) {
      for (const [field, value] of Object.entries(await redis.client.hgetall(name))) {
        expect(recordFields).toHaveProperty(field);
        expect(value, field).not.toBe('');
      }
    }
    expect(Object.keys(await redis.client.hgetall(harness.keysOf(store).ticket(id))).sort()).toStrictEqual(
      [
        ...['subject', 'secret_sha256', 'state', 'attempt', 'issued_at', 'expires_at', 'session_expires_at'],
        ...['gateway', 'opened_at', 'attempts', 'last_attempt_at', 'last_attempt_outcome', 'last_attempt_status'],
        'last_attempt_gateway',
      ].sort(),
    );
  });

  test('has every field of the table if all have a value', async () => {
    const store = await harness.createStore();
    const bound = { audience: 'chat', path: '/', origin: 'https://app.example', address: '192.0.2.1' };
    const stored = { ...bound, claims: '{}', clientClaims: '{}', credentialsExpireAt: Date.now() + 3_600_000 };
    const connection = await opened(store, bound, 'ada', stored);
    await store.close(closeOf(connection));

    expect(Object.keys(await redis.client.hgetall(harness.keysOf(store).ticket(connection.id))).sort()).toStrictEqual(
      Object.keys(recordFields).sort(),
    );
  });

  test('has the times in Unix milliseconds', async () => {
    const store = await harness.createStore();
    const before = await harness.now();
    const connection = await opened(store);
    await store.close(closeOf(connection));
    const hash = await redis.client.hgetall(harness.keysOf(store).ticket(connection.id));

    for (const field of ['issued_at', 'opened_at', 'closed_at', 'last_attempt_at'] as const) {
      expect(hash[field]).toMatch(/^\d{13}$/);
      expect(Number(hash[field])).toBeGreaterThanOrEqual(before);
    }
    expect(hash.expires_at).toMatch(/^\d{13}$/);
    expect(hash.session_expires_at).toMatch(/^\d{13}$/);
  });
});

describe('a record that Redis has lost', () => {
  test('is replaced like any other while its connection is counted', async () => {
    const store = await harness.createStore();
    const lost = await opened(store);
    await harness.advance(1);
    await opened(store);
    await redis.client.del(harness.keysOf(store).ticket(lost.id));
    const outcome = await store.consume(consumeOf(await issued(store), { maxConnections: 2, limitPolicy: 'replace' }));

    expect(outcome).toMatchObject({ code: 'admitted', replaced: [{ id: lost.id, gatewayId: '' }] });
    expect(await redis.client.exists(harness.keysOf(store).ticket(lost.id))).toBe(0);
  });
});

describe('a record with a state that no script writes', () => {
  test('admits nobody, has no connection, and is a fault to read', async () => {
    const store = await harness.createStore();
    const ticket = await issued(store);
    const { id, subject } = ticket;
    await redis.client.hset(harness.keysOf(store).ticket(id), 'state', 'ajar');

    expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_consumed', subject });
    expect(await store.renew({ id, subject, maxSessionMs: 1_000 })).toStrictEqual({ code: 'not_open' });
    expect(await store.revoke({ id })).toStrictEqual({ code: 'ended' });
    await expect(store.read(id)).rejects.toMatchObject({ name: 'MalformedRecord' });
    await expect(store.list(subject)).rejects.toMatchObject({ name: 'MalformedRecord' });
  });
});

describe('a gateway in Redis', () => {
  const status = { gatewayId: 'gateway-1', startedAt: 1_800_000_000_000, version: '1.2.3', connections: 7 };

  test('is announced for 30 s under its own key', async () => {
    const store = await harness.createStore();
    await store.announce({ ...status, draining: false });
    const key = `${harness.prefixOf(store)}gateway:gateway-1`;

    expect(await redis.client.hgetall(key)).toStrictEqual({
      started: '1800000000000',
      version: '1.2.3',
      connections: '7',
      draining: '0',
    });
    expect(ANNOUNCEMENT_MS).toBe(30_000);
    expect(await redis.client.pttl(key)).toBeGreaterThan(25_000);
    expect(await redis.client.pttl(key)).toBeLessThanOrEqual(30_000);
  });

  test('is announced again for another 30 s', async () => {
    const store = await harness.createStore();
    await store.announce({ ...status, draining: false });
    const key = `${harness.prefixOf(store)}gateway:gateway-1`;
    await redis.client.pexpire(key, 1_000);
    await store.announce({ ...status, connections: 8, draining: true });

    expect(await redis.client.hgetall(key)).toMatchObject({ connections: '8', draining: '1' });
    expect(await redis.client.pttl(key)).toBeGreaterThan(25_000);
  });

  test('is deleted when it is withdrawn', async () => {
    const store = await harness.createStore();
    await store.announce({ ...status, draining: false });
    await store.withdraw('gateway-1');

    expect(await redis.client.keys(`${harness.prefixOf(store)}*`)).toStrictEqual([]);
  });
});

describe('the control channel in Redis', () => {
  test('drops what is not a command', async () => {
    const store = await harness.createStore();
    const heard: unknown[] = [];
    store.listen('gateway-1', (command) => heard.push(command));
    await harness.listening(store, 'gateway-1');
    const channel = `${harness.prefixOf(store)}control:gateway-1`;
    const id = mint().id;
    for (const garbage of [
      '',
      'null',
      '[]',
      '{',
      '{}',
      'a'.repeat(100_000),
      '{"command":"stop"}',
      `{"command":"close","ticket_id":"${id}"}`,
      `{"command":"close","ticket_id":"${id}","reason":"other"}`,
      '{"command":"close","ticket_id":"short","reason":"revoked"}',
      `{"command":"renew","ticket_id":"${id}","session_expires_at":"soon"}`,
    ]) {
      await redis.client.publish(channel, garbage);
    }
    await redis.client.publish(channel, Buffer.from([0xff, 0xfe, 0x00]));
    const last = { command: 'close', ticket_id: id, reason: 'revoked' } as const;
    await store.command('gateway-1', last);
    await until(() => heard.length > 0);

    expect(heard).toStrictEqual([last]);
  });

  test('is one message of JSON on a channel of its own', async () => {
    const store = await harness.createStore();
    const side = redis.client.duplicate();
    const heard: string[] = [];
    side.on('message', (_channel: string, message: string) => heard.push(message));
    await side.subscribe(`${harness.prefixOf(store)}control:gateway-1`);
    const id = mint().id;
    await store.command('gateway-1', { command: 'renew', ticket_id: id, session_expires_at: 1_800_000_000_000 });
    await until(() => heard.length > 0);
    side.disconnect();

    expect(JSON.parse(heard[0] ?? '')).toStrictEqual({
      command: 'renew',
      ticket_id: id,
      session_expires_at: 1_800_000_000_000,
    });
  });

  test('works again after Redis was down', async () => {
    const own = await startRedis();
    const link = new RedisLink({ address: { kind: 'single', url: own.url }, timeoutMs: 250 });
    const store = new RedisStore({ ...DEFAULTS, link, keyPrefix: 'oncegate:', retentionMs: 1_000, leaseMs: 1_000 });
    const heard: unknown[] = [];
    store.listen('gateway-1', (command) => heard.push(command));
    const listening = () =>
      until(async () => (await own.client.pubsub('NUMSUB', 'oncegate:control:gateway-1'))[1] === 1);
    await listening();
    await own.restart();
    await listening();
    await until(() => store.ready);
    const command = { command: 'close', ticket_id: mint().id, reason: 'revoked' } as const;
    await store.command('gateway-1', command);
    await until(() => heard.length > 0);
    await store.end();

    expect(heard).toStrictEqual([command]);
  });

  test('is closed with the store', async () => {
    const store = await harness.createStore();
    store.listen('gateway-1', () => {});
    await harness.listening(store, 'gateway-1');
    await store.end();

    expect(store.ready).toBe(false);
    await until(async () => {
      const channel = `${harness.prefixOf(store)}control:gateway-1`;
      return (await redis.client.pubsub('NUMSUB', channel))[1] === 0;
    });
    await expect(store.issue(issueOf(mint()))).rejects.toMatchObject({ name: 'StoreUnavailable', mayHaveRun: false });
  });
});
