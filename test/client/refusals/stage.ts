import type { ConnectCode } from '../../../client/errors/connect-refused.ts';
import { type PageServer, SANDBOXED } from '../../support/browsers/page-server.ts';
import { bearer } from '../../support/logins/bearer.ts';
import type { HoldingRelay } from '../../support/proxies/holding-relay.ts';
import { startTcpProxy, type TcpProxy } from '../../support/proxies/tcp-proxy.ts';
import type { RedisServer } from '../../support/redis/redis.ts';
import { type Gate, startGate } from '../../support/services/gate.ts';
import { type Environment, type InProcess, runGateway, runTicketService } from '../../support/services/in-process.ts';
import { ask } from '../../support/services/ticket-client.ts';
import type { Job, Runtime, Told } from './runtimes.ts';

/** What is there before the services are. */
export interface Scene {
  readonly redis: RedisServer;
  /** Between both services and Redis. */
  readonly gate: Gate;
  /** Where the ticket service is asked. */
  readonly site: PageServer;
  /** Another origin of the same host. */
  readonly sibling: PageServer;
}

/** What a case may use to bring about its situation. */
export interface Stage extends Scene {
  readonly gateway: InProcess;
  /** Between the clients and the gateway. */
  readonly proxy: TcpProxy;
  readonly tickets: InProcess;
  readonly relay: HoldingRelay | undefined;
  /** The origin of the page that calls, where the client has one. */
  readonly origin: string | undefined;
  /** Asks the ticket service by itself, as ada and from the client's origin unless said otherwise: its answer's text. */
  issue(wish?: object, headers?: Readonly<Record<string, string>>): Promise<string>;
  revoke(id: string): Promise<void>;
}

/** A ticket on its way to the client. */
export interface Issued {
  readonly id: string;
  readonly ticket: string;
  readonly protocols: string[];
}

/** Which page calls: by default one of another port than the ticket service's, which is in ALLOWED_ORIGINS. */
type Page = 'own' | 'sibling' | 'stranger' | 'sandboxed';

interface Settings {
  readonly ticket?: Environment;
  readonly gateway?: Environment;
  /** Between the gateway and Redis, where the case has one. */
  readonly relay?: HoldingRelay;
}

/** A refusal, and how it is provoked. */
export interface RefusalCase {
  readonly name: string;
  readonly code: ConnectCode;
  readonly status: number | null;
  /** Whether it comes to a handshake. */
  readonly attempted: boolean;
  /** The page that calls; where it matters which one it is, the case is one for browsers only. */
  readonly page?: Page;
  readonly browsersOnly?: true;
  /** Settings of the services beside the usual ones. */
  readonly settings?: (scene: Scene) => Promise<Settings> | Settings;
  /** Happens before the call. */
  readonly before?: (stage: Stage) => unknown;
  /** Happens when the ticket is issued and the client does not have it yet; what it returns is what the client gets. */
  readonly between?: (stage: Stage, issued: Issued) => unknown;
  /** How it is called, beside the usual. */
  readonly job?: (stage: Stage) => Promise<Partial<Job>> | Partial<Job>;
  /** Options of `connect()` beside the usual ones. */
  readonly options?: Readonly<Record<string, unknown>>;
}

const addressOf = ({ site, sibling }: Scene, page: Page): string =>
  ({
    own: `${site.origin()}/`,
    sibling: `${sibling.origin()}/`,
    stranger: `${sibling.origin('127.0.0.1')}/`,
    sandboxed: `${sibling.origin()}${SANDBOXED}`,
  })[page];

/** Plays one case in one place, and returns what the caller was told and which ticket it had. */
export async function play(
  runtime: Runtime,
  row: Partial<RefusalCase>,
  scene: Omit<Scene, 'gate'>,
): Promise<{ readonly told: Told; readonly ticketId: string | null }> {
  const { redis, site, sibling } = scene;
  await redis.call('FLUSHALL');
  const gate = await startGate(redis);
  const both = {
    REDIS_URL: `redis://127.0.0.1:${gate.port}`,
    ALLOWED_ORIGINS: `${site.origin()},${sibling.origin()}`,
  };
  const settings: Settings = (await row.settings?.({ ...scene, gate })) ?? {};
  const gateway = await runGateway({ ...both, ...settings.gateway });
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: gateway.port });
  const tickets = await runTicketService({
    ...both,
    GATEWAY_URL: `ws://localhost:${proxy.port}`,
    ...settings.ticket,
  });
  const page = addressOf({ ...scene, gate }, row.page ?? 'sibling');
  const origin = runtime.isBrowser ? new URL(page).origin : undefined;
  const own = { Authorization: await bearer('ada') };
  const stage: Stage = {
    ...{ ...scene, gate, gateway, proxy, tickets, origin, relay: settings.relay },
    async issue(body = {}, headers = {}) {
      const from = origin === undefined ? {} : { Origin: origin };
      const answer = await ask(tickets, '/tickets', { method: 'POST', body, headers: { ...from, ...headers } });
      return answer.text;
    },
    async revoke(id) {
      await ask(tickets, `/tickets/${id}`, { method: 'DELETE' });
    },
  };

  let ticketId: string | null = null;
  site.serve(tickets.port, async (text) => {
    const changed = await row.between?.(stage, JSON.parse(text) as Issued); // what POST /tickets answers
    const given = typeof changed === 'string' ? changed : text;
    ticketId = String(JSON.parse(given).id);
    return given;
  });
  await row.before?.(stage);
  const { options, ...job } = (await row.job?.(stage)) ?? {};
  const address = `${site.origin()}/tickets`;
  const told = await runtime.run(page, {
    options: { tickets: address, records: address, headers: own, ...row.options, ...options },
    ...job,
  });
  return { told, ticketId };
}
