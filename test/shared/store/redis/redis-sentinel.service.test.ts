import { expect, onTestFinished, test } from 'vitest';
import { createKeys } from '../../../../shared/store/keys.ts';
import { RedisLink } from '../../../../shared/store/redis/redis-link.ts';
import { RedisStore } from '../../../../shared/store/redis/redis-store.ts';
import type { GatewayCommand } from '../../../../shared/store/store.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisSentinel, startSentinel } from '../../../support/redis/redis.ts';
import { DEFAULTS } from '../contract/harness.ts';
import { consumeOf, issued, mint, opened } from '../requests.ts';

const PREFIX = 'oncegate:';
const FAILOVER = { timeoutMs: 15_000 };

async function storeOn(group: RedisSentinel): Promise<RedisStore> {
  const { host, port } = group.sentinel;
  const link = new RedisLink({
    address: { kind: 'sentinel', sentinels: [{ host, port }], name: group.name },
    timeoutMs: 1_000,
  });
  const store = new RedisStore({ ...DEFAULTS, link, keyPrefix: PREFIX });
  onTestFinished(() => store.end());
  await until(() => store.ready);
  return store;
}

/** Replication is asynchronous: what has not arrived is lost with a failover. */
async function arrived(group: RedisSentinel, id: string, state: string): Promise<void> {
  const [, replica] = group.servers;
  await until(async () => (await replica.client.hget(createKeys(PREFIX).ticket(id), 'state')) === state);
}

test('issues and consumes, and does so again after a failover', async () => {
  const group = await startSentinel();
  const [master, replica] = group.servers;
  const store = await storeOn(group);
  const connection = await opened(store, {}, 'ada', { ttlMs: 300_000 });
  const unspent = await issued(store, { ttlMs: 300_000 });
  expect(await store.consume(consumeOf(connection))).toMatchObject({ code: 'ticket_consumed' });
  await arrived(group, connection.id, 'open');
  await arrived(group, unspent.id, 'issued');

  await master.kill();
  await until(() => !store.ready, { what: 'the store is down' });
  await until(async () => (await group.masterPort()) === replica.port, { ...FAILOVER, what: 'the failover' });
  await until(() => store.ready, { what: 'the store is back' });

  expect(await store.consume(consumeOf(connection))).toMatchObject({ code: 'ticket_consumed' });
  expect(await store.consume(consumeOf(unspent))).toMatchObject({ code: 'admitted' });
  expect(await store.lease(connection)).toMatchObject({ code: 'held' });
  expect(await opened(store)).toMatchObject({ subject: 'ada' });
});

test('follows the master if the old one becomes a replica, and receives commands there', async () => {
  const group = await startSentinel();
  const [, replica] = group.servers;
  const store = await storeOn(group);
  const heard: GatewayCommand[] = [];
  store.listen('gateway-1', (command) => heard.push(command));
  const connection = await opened(store, {}, 'ada', { ttlMs: 300_000 });
  await arrived(group, connection.id, 'open');

  // The Sentinel may not know yet that the replica can take over.
  await until(() => group.sentinel.call('SENTINEL', 'FAILOVER', group.name), FAILOVER);
  await until(async () => (await group.masterPort()) === replica.port, { ...FAILOVER, what: 'the failover' });
  // Until it has found the new master every operation fails, and none gives a wrong answer.
  await until(async () => (await store.consume(consumeOf(connection))).code === 'ticket_consumed', FAILOVER);
  await until(
    async () => {
      const { id } = await opened(store);
      return (await replica.client.exists(createKeys(PREFIX).ticket(id))) === 1;
    },
    // Some 10 s after the failover the Sentinel makes the old master a replica, and disconnects its clients.
    { everyMs: 50, what: 'the new master is written to' },
  );

  const command = { command: 'close', ticket_id: mint().id, reason: 'revoked' } as const;
  await until(async () => {
    await store.command('gateway-1', command);
    return heard.length > 0;
  }, FAILOVER);
  expect(heard[0]).toStrictEqual(command);
});
