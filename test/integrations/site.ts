import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import type { ProxyProcess } from '../support/proxies/proxy-process.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import {
  type Fleet,
  type IssuedTicket,
  issueTicket,
  type ServiceProcess,
  startFleet,
} from '../support/services/services.ts';
import { type BackEnd, startBackEnd } from './back-end.ts';
import { type Mode, modesHere } from './modes.ts';

/** Redis, a ticket service, a gateway and every proxy, each as a process, and a back end. */
export interface Site {
  readonly redis: RedisServer;
  readonly fleet: Fleet;
  readonly gateway: ServiceProcess;
  readonly backEnd: BackEnd;
  proxyOf(mode: Mode): ProxyProcess;
  /** Issues a ticket. Default: for a subject that no other ticket has. `vouched` are claims of the credentials. */
  issue(wish?: object, subject?: string, vouched?: JWTPayload): Promise<IssuedTicket>;
}

/**
 * @param gateways how many gateways are started; the proxies know the first
 * @param startHop starts one more proxy in front of the back end; resolves with its port
 */
export async function startSite(
  env: Readonly<Record<string, string>> = {},
  gateways = 1,
  startHop: (backEnd: number) => Promise<number> = async (port) => port,
): Promise<Site> {
  const [redis, backEnd] = await Promise.all([startRedis(), startBackEnd()]);
  const target = await startHop(backEnd.port);
  const fleet = await startFleet({
    redisUrl: redis.url,
    gateways,
    env: {
      TRUST_PROXY: '127.0.0.1',
      AUTH_CLAIMS: 'role,text',
      UPSTREAM_URL: `ws://127.0.0.1:${target}`,
      // Patience with a machine that is busy.
      ...env,
    },
  });
  const { ticket } = fleet;
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('a fleet without a gateway');
  const behind = { ticket: ticket.port, gateway: gateway.port, admin: gateway.adminPort, backEnd: target };
  const proxies = new Map(
    await Promise.all(modesHere.map(async (mode) => [mode.name, await mode.start(behind)] as const)),
  );
  return {
    redis,
    fleet,
    gateway,
    backEnd,
    proxyOf({ name }) {
      const proxy = proxies.get(name);
      if (proxy === undefined) throw new Error(`${name} does not run`);
      return proxy;
    },
    issue: (wish = {}, subject = `subject-${randomUUID()}`, vouched = {}) =>
      issueTicket(ticket, subject, wish, vouched),
  };
}
