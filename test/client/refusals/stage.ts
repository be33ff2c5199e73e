import type { ConnectCode } from '../../../client/errors/connect-refused.ts';
import { type PageServer, SANDBOXED } from '../../support/browsers/page-server.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { startTcpProxy, type TcpProxy } from '../../support/proxies/tcp-proxy.ts';
import type { RedisServer } from '../../support/redis/redis.ts';
import { type Environment, type InProcess, runGateway, runTicketService } from '../../support/services/in-process.ts';
import { ask } from '../../support/services/ticket-client.ts';
import type { Job, Runtime, Told } from './runtimes.ts';

/** What exists before the services are started. */
export interface Scene {
  readonly redis: RedisServer;
  /** Between both services and Redis. */
  readonly gate: TcpProxy;
  /** The origin at which the ticket service is asked. */
  readonly site: PageServer;
  /** Another origin of the same host. */
  readonly sibling: PageServer;
}

/** What a case may use to bring its situation about. */
export interface Stage extends Scene {
  readonly gateway: InProcess;
  /** Between the clients and the gateway. */
  readonly proxy: TcpProxy;
  readonly tickets: InProcess;
  readonly relay: TcpProxy | undefined;
  /** The origin of the page that calls; undefined in Node. */
  readonly origin: string | undefined;
  /** Gets another ticket, as ada and from the client's origin unless `headers` say otherwise. Resolves with the answer's text. */
  issue(request?: object, headers?: Readonly<Record<string, string>>): Promise<string>;
  revoke(id: string): Promise<void>;
}

/** A ticket on its way to the client. */
export interface Issued {
  readonly id: string;
  readonly ticket: string;
  readonly protocols: string[];
}

/** Which page calls. Default: `sibling`, on another port than the ticket service, and in ALLOWED_ORIGINS. */
type Page = 'own' | 'sibling' | 'stranger' | 'sandboxed';

interface Settings {
  readonly ticket?: Environment;
  readonly gateway?: Environment;
  /** Between the gateway and Redis, if the case has one. */
  readonly relay?: TcpProxy;
}

/** A refusal, and how it is provoked. */
export interface RefusalCase {
  readonly name: string;
  readonly code: ConnectCode;
  readonly status: number | null;
  /** Whether a handshake is attempted. */
  readonly attempted: boolean;
  /** The page that calls. If it matters which one that is, the case is for browsers only. */
  readonly page?: Page;
  readonly browsersOnly?: true;
  /** Settings of the services besides the usual ones. */
  readonly settings?: (scene: Scene) => Promise<Settings> | Settings;
  /** Happens before the call. */
  readonly before?: (stage: Stage) => unknown;
  /** Happens after the ticket is issued and before the client gets it. A string that it returns is given to the client instead. */
  readonly between?: (stage: Stage, issued: Issued) => unknown;
  /** How the client is called, besides the usual. */
  readonly job?: (stage: Stage) => Promise<Partial<Job>> | Partial<Job>;
  /** Options of `connect()` besides the usual ones. */
  readonly options?: Readonly<Record<string, unknown>>;
}

const addressOf = ({ site, sibling }: Scene, page: Page): string =>
  ({
    own: `${site.origin()}/`,
    sibling: `${sibling.origin()}/`,
    stranger: `${sibling.origin('127.0.0.1')}/`,
    sandboxed: `${sibling.origin()}${SANDBOXED}`,
  })[page];

/** Plays one case in one runtime. Resolves with what the caller was told, and the id of its ticket. */
export async function play(
  runtime: Runtime,
  row: Partial<RefusalCase>,
  scene: Omit<Scene, 'gate'>,
): Promise<{ readonly told: Told; readonly ticketId: string | null }> {
  const { redis, site, sibling } = scene;
  await redis.call('FLUSHALL');
  const gate = await startTcpProxy(redis);
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
