import type { IssueRequest } from '../../../shared/store/store.ts';
import { startTcpProxy, type TcpProxy } from '../../support/proxies/tcp-proxy.ts';
import type { RedisServer } from '../../support/redis/redis.ts';
import {
  type Environment,
  type InProcess,
  runGateway,
  type StoredTicket,
  storeTicket,
} from '../../support/services/in-process.ts';

/** A gateway on a Redis that can be cut off, and a ticket. */
export interface Stage {
  readonly gateway: InProcess;
  readonly redis: RedisServer;
  /** Between the gateway and Redis. */
  readonly gate: TcpProxy;
  readonly ticket: StoredTicket;
}

export async function setStage(
  redis: RedisServer,
  { env = {}, issue = {} }: { readonly env?: Environment; readonly issue?: Partial<IssueRequest> } = {},
): Promise<Stage> {
  await redis.call('FLUSHALL');
  const gate = await startTcpProxy(redis);
  const gateway = await runGateway({ REDIS_URL: `redis://127.0.0.1:${gate.port}`, GATEWAY_ID: 'gateway-1', ...env });
  return { gateway, redis, gate, ticket: await storeTicket(gateway.store, issue) };
}

/** The way of a request to a gateway in this process and back: what was sent before has been read by then. */
export async function turn({ gateway }: Pick<Stage, 'gateway'>): Promise<void> {
  await (await fetch(`http://127.0.0.1:${gateway.adminPort}/livez`)).text();
}
