import { inspect } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { RedisLink } from '../../../../shared/store/redis/redis-link.ts';
import { RedisStore } from '../../../../shared/store/redis/redis-store.ts';
import { StoreUnavailable } from '../../../../shared/store/store.ts';
import { msInThisProcess } from '../../../support/machine/measure.ts';
import { until } from '../../../support/machine/wait.ts';
import { startTcpProxy } from '../../../support/proxies/tcp-proxy.ts';
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts';
import { DEFAULTS } from '../contract/harness.ts';
import { consumeOf, issued, issueOf, mint, opened } from '../requests.ts';

/** A time-out that a busy machine does not reach. */
const PATIENT_MS = 30_000;
/** The time-out in tests that wait for it. */
const TIMEOUT_MS = 250;
/** The longest time to an answer, as this process measures it. */
const BOUND_MS = 500;

/** What an operation says that was given up for its time. */
const TIMED_OUT = /did not answer within/;

interface Linked {
  readonly link: RedisLink;
  readonly store: RedisStore;
  /** What onChange was called with, without the reasons. */
  readonly changes: boolean[];
  readonly reasons: string[];
}

function linkTo(url: string, { timeoutMs = PATIENT_MS, leaseMs = 60_000 } = {}): Linked {
  const changes: boolean[] = [];
  const reasons: string[] = [];
  const link = new RedisLink({
    address: { kind: 'single', url },
    timeoutMs,
    onChange(available, reason) {
      changes.push(available);
      reasons.push(reason);
    },
  });
  onTestFinished(() => link.end());
  return {
    link,
    store: new RedisStore({ ...DEFAULTS, link, keyPrefix: 'oncegate:', leaseMs }),
    changes,
    reasons,
  };
}

async function connectedTo(url: string, options?: { timeoutMs?: number; leaseMs?: number }): Promise<Linked> {
  const linked = linkTo(url, options);
  await until(() => linked.link.ready, { what: 'the link is ready' });
  return linked;
}

/** The failure of an operation, and how long it took. */
async function failureOf(operation: Promise<unknown>): Promise<{ error: StoreUnavailable; ms: number }> {
  const ms = msInThisProcess(operation);
  try {
    await operation;
  } catch (error) {
    if (error instanceof StoreUnavailable) return { error, ms: await ms };
    throw error;
  }
  throw new Error('the operation did not fail');
}

/** Whether an operation fails within one turn of the event loop, so that nothing was sent or waited for. */
async function failsAtOnce(operation: Promise<unknown>): Promise<boolean> {
  const failure = operation.then(
    () => false,
    (error: unknown) => error instanceof StoreUnavailable && !error.mayHaveRun,
  );
  const later = new Promise<boolean>((resolve) => setImmediate(resolve, false));
  return Promise.race([failure, later]);
}

describe('a link', () => {
  let redis: RedisServer;

  beforeEach(async () => {
    redis = await startRedis();
  });

  /** How many scripts the server has run since the last reset. */
  async function scriptsRun(): Promise<number> {
    const stats = await redis.client.info('commandstats');
    return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    );
  }
  async function forgetScripts(): Promise<void> {
    await redis.call('CONFIG', 'RESETSTAT');
  }

  describe('to a Redis that is down', () => {
    test('fails at once before it was connected, and runs nothing later', async () => {
      await redis.kill();
      const { link, store } = linkTo(redis.url);

      expect(link.ready).toBe(false);
      expect(await failsAtOnce(store.issue(issueOf(mint())))).toBe(true);
      expect(await failsAtOnce(store.list('ada'))).toBe(true);
      expect(await failsAtOnce(store.command('g', { command: 'close', ticket_id: mint().id, reason: 'revoked' }))).toBe(
        true,
      );

      await redis.restart();
      await until(() => link.ready);
      await issued(store);
      expect(await scriptsRun()).toBe(1);
      expect(await redis.client.info('commandstats')).not.toContain('cmdstat_publish');
    });

    test('fails at once while Redis is killed, and runs nothing later', async () => {
      const { link, store } = await connectedTo(redis.url);
      await issued(store);
      await redis.kill();
      await until(() => !link.ready);
      for (let count = 0; count < 20; count += 1) expect(await failsAtOnce(store.issue(issueOf(mint())))).toBe(true);

      await redis.restart();
      await until(() => link.ready);
      await issued(store);
      expect(await scriptsRun()).toBe(1);
      expect(await redis.client.keys('oncegate:ticket:*')).toHaveLength(1);
    });

    test('is ready again soon after each restart', async () => {
      const { link, store, changes } = await connectedTo(redis.url);
      for (let round = 0; round < 2; round += 1) {
        await redis.kill();
        await until(() => !link.ready);
        await redis.restart();
        await until(() => link.ready);
        await issued(store);
      }
      expect(changes).toStrictEqual([true, false, true, false, true]);
    });

    test('reports once that Redis is down and once that it is back, with a reason', async () => {
      const { link, changes, reasons } = await connectedTo(redis.url);
      await redis.kill();
      await until(() => !link.ready);
      await until(() => changes.length > 1);
      await redis.restart();
      await until(() => changes.length > 2);

      expect(changes).toStrictEqual([true, false, true]);
      expect(reasons[0]).toBe('Redis answers');
      expect(reasons[1]).not.toBe('');
      expect(reasons[2]).toBe('Redis answers');
    });

    test('fails at once after it was closed', async () => {
      const { link, store, changes } = await connectedTo(redis.url);
      link.end();

      expect(link.ready).toBe(false);
      expect(await failsAtOnce(store.issue(issueOf(mint())))).toBe(true);
      expect(changes).toStrictEqual([true]);
    });
  });

  describe('to a Redis that hangs', () => {
    test('fails after the time-out, and at once after that', async () => {
      const { link, store } = await connectedTo(redis.url, { timeoutMs: TIMEOUT_MS });
      const ticket = await issued(store);
      await redis.pause();
      const { error, ms } = await failureOf(store.read(ticket.id));

      expect(error.mayHaveRun).toBe(true);
      expect(ms).toBeLessThan(BOUND_MS);
      expect(link.ready).toBe(false);
      for (let count = 0; count < 20; count += 1) expect(await failsAtOnce(store.read(ticket.id))).toBe(true);
    });

    test('fails everything that is under way in time', async () => {
      const { store } = await connectedTo(redis.url, { timeoutMs: TIMEOUT_MS });
      const tickets = await Promise.all(Array.from({ length: 50 }, () => issued(store, { maxPending: 100 })));
      await redis.pause();
      const failures = await Promise.all(tickets.map((ticket) => failureOf(store.consume(consumeOf(ticket)))));

      expect(failures.every(({ error }) => error.mayHaveRun)).toBe(true);
      expect(Math.max(...failures.map(({ ms }) => ms))).toBeLessThan(BOUND_MS);
    });

    test('is ready again when Redis continues, on the same connection', async () => {
      const { link, store, changes } = await connectedTo(redis.url, { timeoutMs: TIMEOUT_MS });
      const ticket = await issued(store);
      const connections = async () => /total_connections_received:(\d+)/.exec(await redis.client.info('stats'))?.[1];
      const before = await connections();
      await redis.pause();
      await failureOf(store.read(ticket.id));
      redis.resume();
      await until(() => link.ready);

      expect((await store.read(ticket.id))?.state).toBe('issued');
      expect(await connections()).toBe(before);
      expect(changes).toStrictEqual([true, false, true]);
    });

    test('leaves no connection of a consume that ran too late', async () => {
      const { link, store } = await connectedTo(redis.url, { timeoutMs: TIMEOUT_MS });
      const ticket = await issued(store);
      await redis.pause();
      expect((await failureOf(store.consume(consumeOf(ticket)))).error.mayHaveRun).toBe(true);
      redis.resume();
      await until(() => link.ready);

      expect(await store.read(ticket.id)).toMatchObject({
        state: 'closed',
        closeCode: 1006,
        closeReason: 'store_unavailable',
        attempts: 1,
        lastAttempt: { outcome: 'admitted' },
      });
      expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'ticket_consumed' });
      expect(await store.consume(consumeOf(await issued(store), { maxConnections: 1 }))).toMatchObject({
        code: 'admitted',
      });
    });

    test('does not time out if this process was busy', async () => {
      const { link } = await connectedTo(redis.url, { timeoutMs: TIMEOUT_MS });
      // After this the event loop runs its timers before it reads the sockets.
      await new Promise((resolve) => setImmediate(resolve));
      const answer = link.run((client) => client.ping());
      const start = performance.now();
      while (performance.now() - start < 2 * TIMEOUT_MS);

      expect(await answer).toBe('PONG');
      expect(link.ready).toBe(true);
    });
  });

  test('does not time out for a gathered command that a busy process sent late', async () => {
    // An answer takes several turns of the event loop, also of this process.
    const proxy = await startTcpProxy(redis);
    const { link } = await connectedTo(`redis://127.0.0.1:${proxy.port}`, { timeoutMs: TIMEOUT_MS });
    const ping = () => link.run((client) => client.ping());
    await Promise.all(Array.from({ length: 50 }, ping));
    const answer = ping();
    const start = performance.now();
    while (performance.now() - start < 2 * TIMEOUT_MS);

    expect(await answer).toBe('PONG');
    expect(link.ready).toBe(true);
  });

  describe('to a Redis that has become a replica', () => {
    test('fails without waiting, and is ready again when Redis is a master again', async () => {
      const { link, store } = await connectedTo(redis.url);
      await issued(store);
      await redis.call('REPLICAOF', '127.0.0.1', 1);
      for (let count = 0; count < 3; count += 1) {
        const { error } = await failureOf(store.issue(issueOf(mint())));
        expect(error.message).not.toMatch(TIMED_OUT);
      }
      await redis.call('REPLICAOF', 'NO', 'ONE');
      await until(() => link.ready);

      await until(() => issued(store));
    });
  });

  describe('over a network that loses data', () => {
    const through = (port: number): string => `redis://127.0.0.1:${port}`;

    test('does not send a consume again whose reply was lost', async () => {
      const proxy = await startTcpProxy(redis);
      const { link, store } = await connectedTo(through(proxy.port));
      const ticket = await issued(store);
      await forgetScripts();
      const lost = proxy.loseReplyTo(ticket.secretSha256);
      const { error } = await failureOf(store.consume(consumeOf(ticket)));
      await lost;

      expect(error.mayHaveRun).toBe(true);
      expect(error.message).not.toMatch(TIMED_OUT);
      await until(() => link.ready);
      await link.run((client) => client.ping());
      expect(await scriptsRun()).toBe(1);
      expect(await store.read(ticket.id)).toMatchObject({ state: 'open', attempts: 1 });
    });

    test('returns the same answer if the same attempt asks again', async () => {
      const proxy = await startTcpProxy(redis);
      const { link, store } = await connectedTo(through(proxy.port));
      const ticket = await issued(store);
      const lost = proxy.loseReplyTo(ticket.secretSha256);
      const request = consumeOf(ticket);
      await failureOf(store.consume(request));
      await lost;
      await until(() => link.ready);

      expect(await store.consume(request)).toMatchObject({ code: 'admitted', replaced: [] });
      expect(await store.read(ticket.id)).toMatchObject({ attempts: 1 });
    });

    test('counts a connection for one lease at most if its undo was lost', async () => {
      const proxy = await startTcpProxy(redis);
      const leaseMs = 1_000;
      const { link, store } = await connectedTo(through(proxy.port), { leaseMs });
      const ticket = await issued(store);
      const others = [await issued(store), await issued(store)] as const;
      const lost = proxy.loseReplyTo(ticket.secretSha256);
      await failureOf(store.consume(consumeOf(ticket)));
      await lost;
      await until(() => link.ready);

      expect(await store.read(ticket.id)).toMatchObject({ state: 'open' });
      expect(await store.consume(consumeOf(others[0], { maxConnections: 1 }))).toMatchObject({
        code: 'connection_limit',
      });
      await until(async () => (await store.read(ticket.id))?.state === 'closed', { what: 'the lease is over' });
      expect(await store.consume(consumeOf(others[1], { maxConnections: 1 }))).toMatchObject({ code: 'admitted' });
      expect(await store.read(ticket.id)).toMatchObject({ state: 'closed', closeCode: 1006 });
    });

    test('fails what is under way at once if the connection breaks', async () => {
      const proxy = await startTcpProxy(redis);
      const { link, store } = await connectedTo(through(proxy.port));
      await redis.pause();
      const failure = failureOf(store.list('ada'));
      proxy.endConnections();

      expect((await failure).error.message).not.toMatch(TIMED_OUT);
      redis.resume();
      await until(() => link.ready);
    });

    test('closes a connection that has been silent for long, also during its handshake', async () => {
      const proxy = await startTcpProxy(redis);
      const connected = await connectedTo(through(proxy.port), { timeoutMs: TIMEOUT_MS });
      proxy.mute();
      proxy.muteNew = true;
      const { error } = await failureOf(connected.store.read(mint().id));
      expect(error.mayHaveRun).toBe(true);
      const connecting = linkTo(through(proxy.port));
      await until(() => proxy.accepted === 2);
      proxy.muteNew = false;
      await until(() => connected.link.ready, { what: 'the silent connection is replaced' });
      await until(() => connecting.link.ready, { what: 'the silent handshake is replaced' });

      expect((await connected.store.list('ada')).records).toStrictEqual([]);
      expect((await connecting.store.list('ada')).records).toStrictEqual([]);
    });
  });
});

describe('an error of the link', () => {
  /** Everything that a logger could print of it. */
  const everythingIn = (error: unknown): string => inspect(error, { depth: 10, showHidden: true, getters: true });

  test('repeats no arguments when Redis does not know the command', async () => {
    const redis = await startRedis({ args: ['--rename-command', 'EVAL', ''] });
    const { store } = await connectedTo(redis.url);
    const ticket = mint();
    const { error } = await failureOf(store.issue(issueOf(ticket)));

    expect(error.message).toMatch(/^Redis failed: ERR unknown command/);
    expect(everythingIn(error)).not.toMatch(/args beginning|local STATUS|oncegate:ticket/);
    expect(everythingIn(error)).not.toContain(ticket.secretSha256);
  });

  test('repeats no arguments when a script fails', async () => {
    const redis = await startRedis();
    const { store } = await connectedTo(redis.url);
    const ticket = await opened(store);
    const [key] = await redis.client.keys('oncegate:ticket:*');
    await redis.client.set(key ?? '', 'of another type');

    for (const operation of [
      store.consume(consumeOf(ticket, { origin: 'https://secret.example' })),
      store.note({ ...consumeOf(ticket), outcome: 'draining' }),
      store.read(ticket.id),
    ]) {
      const { error } = await failureOf(operation);
      expect(error).toMatchObject({ name: 'StoreUnavailable', mayHaveRun: true });
      for (const secret of [ticket.secretSha256, ticket.attemptId, 'secret.example', ticket.id]) {
        expect(everythingIn(error)).not.toContain(secret);
      }
    }
  });

  test('repeats no arguments when Redis is full', async () => {
    const redis = await startRedis();
    const { store } = await connectedTo(redis.url);
    const ticket = await issued(store);
    await redis.call('CONFIG', 'SET', 'maxmemory', 1);
    const { error } = await failureOf(store.note({ ...consumeOf(ticket), outcome: 'draining' }));

    expect(error.message).toContain('OOM');
    expect(everythingIn(error)).not.toContain(ticket.secretSha256);
  });

  test('issues nothing while Redis is full, and consumes, closes and revokes all the same', async () => {
    const redis = await startRedis();
    const { store } = await connectedTo(redis.url);
    const ticket = await issued(store);
    await redis.call('CONFIG', 'SET', 'maxmemory', 1);
    const before = await redis.call('DBSIZE');

    expect((await failureOf(store.issue(issueOf(mint())))).error.message).toContain('OOM');
    expect(await redis.call('DBSIZE')).toBe(before);

    const presented = consumeOf(ticket);
    const admitted = await store.consume(presented);
    expect(admitted.code).toBe('admitted');
    expect(await store.renew({ id: ticket.id, subject: ticket.subject, maxSessionMs: 1_000 })).toMatchObject({
      code: 'renewed',
    });
    expect(await store.revoke({ id: ticket.id })).toMatchObject({ code: 'closing' });
    const ending = { id: ticket.id, attemptId: presented.attemptId, closeCode: 3003, closeReason: 'revoked' };
    expect(await store.close(ending)).toEqual({ code: 'closed' });
  });

  test('has no password, neither a right one nor a wrong one', async () => {
    const password = 'a-password-nobody-may-read';
    const redis = await startRedis({ args: ['--requirepass', password], password });
    const { reasons, link, store } = linkTo(`redis://:${password}-not@127.0.0.1:${redis.port}`);
    const ticket = mint();
    const messages = new Set<string>();
    await until(async () => {
      const { error } = await failureOf(store.issue(issueOf(ticket)));
      messages.add(everythingIn(error));
      return /WRONGPASS|NOAUTH/.test(error.message);
    });

    expect(link.ready).toBe(false);
    expect([...messages, ...reasons].join('\n')).not.toContain(password);
  });

  test('has no password if the server repeats the arguments of an unknown command', async () => {
    const password = 'a-password-nobody-may-read';
    const redis = await startRedis({ args: ['--requirepass', password, '--rename-command', 'HELLO', ''], password });
    const { reasons, store } = linkTo(`redis://:${password}@127.0.0.1:${redis.port}`);
    const messages = new Set<string>();
    await until(async () => {
      const outcome = await store.issue(issueOf(mint())).catch((error: unknown) => error);
      messages.add(everythingIn(outcome));
      return messages.size > 1;
    });

    expect([...messages, ...reasons].join('\n')).not.toContain(password);
  });
});
