import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { RedisLink } from '../../../../shared/store/redis/redis-link.ts';
import { RedisStore } from '../../../../shared/store/redis/redis-store.ts';
import { StoreUnavailable } from '../../../../shared/store/store.ts';
import { msInThisProcess } from '../../../support/machine/measure.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisCluster, startCluster } from '../../../support/redis/redis.ts';
import { describeStore } from '../contract/contract.ts';
import { DEFAULTS } from '../contract/harness.ts';
import { issued, issueOf, mint } from '../requests.ts';
import { createRedisHarness, type RedisHarness } from './redis-harness.ts';

let cluster: RedisCluster;
let harness: RedisHarness;

beforeAll(async () => {
  cluster = await startCluster();
  harness = createRedisHarness({
    address: { kind: 'cluster', nodes: cluster.nodes.map(({ host, port }) => ({ host, port })) },
    clientOf: async (key) => (await cluster.nodeOf(key)).client,
    clients: () => cluster.nodes.map(({ client }) => client),
  });
});

describeStore('the Redis store on a Cluster', async () => harness);

test('spreads the subjects over all masters', async () => {
  const store = await harness.createStore();
  for (let index = 0; index < 40; index += 1) await issued(store, {}, `subject-${index}`);
  const counts = await Promise.all(
    cluster.nodes.map(async ({ client }) => (await client.keys(`${harness.prefixOf(store)}ticket:*`)).length),
  );

  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(40);
  for (const count of counts) expect(count).toBeGreaterThan(0);
});

test('is found from any one of its nodes', async () => {
  for (const { host, port } of cluster.nodes) {
    const single = createRedisHarness({
      address: { kind: 'cluster', nodes: [{ host, port }] },
      clientOf: async (key) => (await cluster.nodeOf(key)).client,
      clients: () => cluster.nodes.map(({ client }) => client),
    });
    const store = await single.createStore();
    for (const subject of ['ada', 'eve', 'mallory', 'trent']) await issued(store, {}, subject);
  }
});

test('fails in time while a node hangs, and works again after it continues', async () => {
  const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
  const link = new RedisLink({ address: { kind: 'cluster', nodes }, timeoutMs: 250 });
  onTestFinished(() => link.end());
  const store = new RedisStore({ ...DEFAULTS, link, keyPrefix: 'hanging:' });
  await expect(store.issue(issueOf(mint()))).rejects.toMatchObject({ name: 'StoreUnavailable', mayHaveRun: false });
  await until(() => store.ready);
  const ticket = await issued(store);
  const node = await cluster.nodeOf(`hanging:pending:{${ticket.id.slice(0, 11)}}`);

  await node.pause();
  const refused = store.issue(issueOf(mint()));
  const ms = msInThisProcess(refused);
  await expect(refused).rejects.toThrow(StoreUnavailable);
  expect(await ms).toBeLessThan(500);
  node.resume();
  await until(async () => (await store.read(ticket.id))?.state === 'issued');
});
