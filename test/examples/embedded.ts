import { join } from 'node:path';
import { quickHash } from '../support/logins/passwords.ts';
import { freePort } from '../support/machine/free-port.ts';
import { temporaryFile } from '../support/machine/temporary-file.ts';
import { until } from '../support/machine/wait.ts';
import { workerRedis } from '../support/redis/redis.ts';
import { type Command, startCommand } from '../support/services/command-line.ts';
import { type IssuedTicket, type ServiceProcess, startService } from '../support/services/services.ts';

const root = join(import.meta.dirname, '..', '..');
const CREDENTIALS = 'ada:secret';
const AUTHORIZATION = `Basic ${Buffer.from(CREDENTIALS).toString('base64')}`;

/** A ticket service that knows `ada`, as in the READMEs of the examples. */
export interface TicketDesk {
  readonly service: ServiceProcess;
  issue(wish?: object): Promise<IssuedTicket>;
  record(id: string): Promise<Record<string, unknown>>;
  revoke(id: string): Promise<void>;
  /** The environment of the clients of the examples. */
  readonly env: { readonly TICKET_URL: string; readonly CREDENTIALS: string };
}

/** Starts a ticket service whose tickets name this address. */
export async function startTicketDesk(redisUrl: string, gatewayUrl: string): Promise<TicketDesk> {
  const service = await startService('ticket', {
    REDIS_URL: redisUrl,
    GATEWAY_URL: gatewayUrl,
    AUTH_USERS_FILE: temporaryFile(`ada:${quickHash('secret')}\n`),
  });
  const url = `http://127.0.0.1:${service.port}`;
  await until(async () => (await fetch(`http://127.0.0.1:${service.adminPort}/readyz`)).ok);
  const send = async (method: string, path: string, wish?: object): Promise<Record<string, unknown>> => {
    const headers = { Authorization: AUTHORIZATION, 'Content-Type': 'application/json' };
    const response = await fetch(url + path, { method, headers, ...(wish && { body: JSON.stringify(wish) }) });
    return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>); // every answer is an object
  };
  return {
    service,
    issue: async (request) => (await send('POST', '/tickets', request)) as unknown as IssuedTicket, // what POST /tickets answers
    record: (id) => send('GET', `/tickets/${id}`),
    revoke: async (id) => void (await send('DELETE', `/tickets/${id}`)),
    env: { TICKET_URL: url, CREDENTIALS },
  };
}

/** An example with a gateway inside, running as its README says, from the root of a built clone. */
export interface EmbeddedExample {
  readonly port: number;
  readonly server: Command;
  readonly desk: TicketDesk;
  /** Runs the client in its folder. Resolves with what it printed. */
  runClient(): Promise<string>;
}

/** Starts `examples/<folder>/server.mjs` and a ticket service. Both are stopped after the test file. */
export async function startEmbedded(folder: string): Promise<EmbeddedExample> {
  const redis = await workerRedis();
  const port = await freePort();
  const server = startCommand(process.execPath, [`examples/${folder}/server.mjs`], {
    cwd: root,
    env: { REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '30000', DRAIN_SECONDS: '0', PORT: String(port) },
  });
  const [desk] = await Promise.all([
    startTicketDesk(redis.url, `ws://localhost:${port}`),
    until(() => /^ws:\/\/localhost:\d+$/m.test(server.stdout()) && server.stdout().includes('store_available'), {
      what: 'the example listens, and Redis answers it',
    }),
  ]);
  return {
    port,
    server,
    desk,
    async runClient() {
      const client = startCommand(process.execPath, [`examples/${folder}/client.mjs`], { cwd: root, env: desk.env });
      await client.exited;
      return client.stdout() + client.stderr();
    },
  };
}
