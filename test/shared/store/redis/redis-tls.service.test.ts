import { pino } from 'pino';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadSettings } from '../../../../shared/settings/load.ts';
import { createStore } from '../../../../shared/store/create-store.ts';
import type { GatewayCommand, TicketStore } from '../../../../shared/store/store.ts';
import { type Authority, createAuthority } from '../../../support/machine/certificates.ts';
import { isMissing } from '../../../support/machine/programs.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisTls, startCluster, startRedis, startSentinel } from '../../../support/redis/redis.ts';
import { PATIENCE } from '../../../support/services/patience.ts';
import { consumeOf, issued, mint } from '../requests.ts';

const PASSWORD = 'of-the-primary';
const SENTINEL_PASSWORD = 'of-the-sentinels';

let authority: Authority;
let tls: RedisTls;

describe.skipIf(isMissing('openssl'))('Redis that speaks TLS only', () => {
  beforeAll(() => {
    authority = createAuthority();
    tls = { authority, pair: authority.issue('IP:127.0.0.1') };
  });

  function storeOf(env: Readonly<Record<string, string>>): TicketStore {
    const loaded = loadSettings({ REDIS_CA_FILE: authority.certFile, ...PATIENCE, ...env }, []);
    if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
    const store = createStore(loaded.settings, pino({ level: 'silent' }));
    onTestFinished(() => store.end());
    return store;
  }

  /** Uses each connection of a store: for commands, to whatever node they go, and for subscriptions. */
  async function works(store: TicketStore): Promise<void> {
    await until(() => store.ready, { what: 'the store is ready' });
    // Subjects that are spread over the nodes of a Cluster.
    for (const subject of ['ada', 'bob', 'cem', 'dee', 'eve', 'fay', 'gus', 'hal']) {
      const ticket = await issued(store, {}, subject);
      expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'admitted' });
    }
    const heard: GatewayCommand[] = [];
    store.listen('gateway', (command) => void heard.push(command));
    const command = { command: 'close', ticket_id: mint().id, reason: 'revoked' } as const;
    await until(async () => {
      await store.command('gateway', command);
      return heard.length > 0;
    });
    expect(heard[0]).toEqual(command);
  }

  test('is used as a single server', async () => {
    const redis = await startRedis({ tls, password: PASSWORD, args: ['--requirepass', PASSWORD] });
    await works(storeOf({ REDIS_URL: `rediss://:${PASSWORD}@127.0.0.1:${redis.port}` }));
  });

  test('is used through Sentinels with a password of their own', async () => {
    const group = await startSentinel({ tls, password: PASSWORD, sentinelPassword: SENTINEL_PASSWORD });
    const env = {
      REDIS_SENTINELS: `127.0.0.1:${group.sentinel.port}`,
      REDIS_SENTINEL_NAME: group.name,
      REDIS_SENTINEL_TLS: 'true',
      REDIS_SENTINEL_PASSWORD: SENTINEL_PASSWORD,
    };
    await works(storeOf({ ...env, REDIS_URL: `rediss://:${PASSWORD}@unused` }));
  });

  test('is used as a Cluster, also on the nodes that are found', async () => {
    const { nodes } = await startCluster({ tls, password: PASSWORD });
    const [first] = nodes;
    await works(
      storeOf({ REDIS_CLUSTER_NODES: `127.0.0.1:${first?.port}`, REDIS_URL: `rediss://:${PASSWORD}@unused` }),
    );
  });

  test('is not used if no known authority vouches for it', async () => {
    const redis = await startRedis({ tls, password: PASSWORD, args: ['--requirepass', PASSWORD] });
    const stranger = createAuthority();
    const store = storeOf({
      REDIS_URL: `rediss://:${PASSWORD}@127.0.0.1:${redis.port}`,
      REDIS_CA_FILE: stranger.certFile,
    });
    const connections = async () => Number(/total_error_replies:(\d+)/.exec(await redis.client.info('stats'))?.[1]);
    const before = await connections();
    await expect(until(() => store.list('ada'), { timeoutMs: 1_000 })).rejects.toThrow();

    expect(await connections()).toBe(before);
  });
});
