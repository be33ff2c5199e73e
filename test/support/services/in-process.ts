import { pino } from 'pino';
import { startGateway } from '../../../services/gateway/gateway.ts';
import { startTicketService, type TicketServiceOptions } from '../../../services/ticket/ticket-service.ts';
import type { Logger } from '../../../shared/process/log.ts';
import type { RunningService } from '../../../shared/process/run-service.ts';
import { loadSettings } from '../../../shared/settings/load.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { createStore } from '../../../shared/store/create-store.ts';
import type { IssueRequest, TicketStore } from '../../../shared/store/store.ts';
import { formatTicket, hashSecret, mintTicket } from '../../../shared/ticket/ticket.ts';
import { JWT_SECRET } from '../logins/bearer.ts';
import { atEnd } from '../machine/teardown.ts';
import { until } from '../machine/wait.ts';
import { PATIENCE } from './patience.ts';
import type { LogLine } from './services.ts';

export type Environment = Readonly<Record<string, string>>;

/** A service that runs in the process of the test; it is stopped with the test, or the test file. */
export interface InProcess {
  readonly port: number;
  readonly adminPort: number;
  readonly store: TicketStore;
  /** Every line that it has logged so far. */
  readonly log: readonly LogLine[];
  readonly service: RunningService;
  /** The value of one series of its `/metrics`; throws if there is none. */
  metric(series: string): Promise<number>;
  /** All series of one metric, by name and labels as written. */
  series(name: string): Promise<Record<string, number>>;
}

interface Options {
  /** Used instead of a store by the environment; the caller ends it. */
  readonly store?: TicketStore;
  /** Whether the store never answers, so that it is not awaited. */
  readonly storeIsAway?: boolean;
}

/** Starts a gateway. Without `REDIS_URL` and without a given store it has its own in-memory store. */
export function runGateway(env: Environment = {}, options: Options = {}): Promise<InProcess> {
  return run(env, options, (settings, store, log) => startGateway({ settings, store, log }));
}

/** Starts a ticket service that accepts {@link JWT_SECRET}, unless its authenticators are given. */
export function runTicketService(
  env: Environment = {},
  options: Options & Pick<TicketServiceOptions, 'authenticators' | 'playground'> = {},
): Promise<InProcess> {
  const { authenticators, playground } = options;
  return run({ AUTH_JWT_SECRET: JWT_SECRET, ...env }, options, (settings, store, log) =>
    startTicketService({
      settings,
      store,
      log,
      ...(authenticators && { authenticators }),
      ...(playground && { playground }),
    }),
  );
}

/** The settings of an environment, on free ports and with a drain that does not wait. */
export async function settingsOf(env: Environment): Promise<Settings> {
  const loaded = await loadSettings(
    {
      TICKET_PORT: '0',
      TICKET_ADMIN_PORT: '0',
      GATEWAY_PORT: '0',
      GATEWAY_ADMIN_PORT: '0',
      DRAIN_SECONDS: '0',
      LOG_LEVEL: 'trace',
      ...PATIENCE,
      ...env,
    },
    [],
  );
  if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
  return loaded.settings;
}

async function run(
  env: Environment,
  { store: given, storeIsAway = false }: Options,
  start: (settings: Settings, store: TicketStore, log: Logger) => Promise<RunningService>,
): Promise<InProcess> {
  const settings = await settingsOf(env);
  const lines: LogLine[] = [];
  const log = pino(
    { level: settings.logLevel, base: {}, formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) }, // pino writes one JSON object a line
  );
  const store = given ?? createStore(settings, log);
  const service = await start(settings, store, log);
  atEnd(async () => {
    service.abandon();
    await service.drain();
    if (given === undefined) await store.end();
  });
  if (!storeIsAway) await until(() => store.ready, { what: 'the store is ready' });
  const { port, adminPort } = service;
  return {
    port,
    adminPort,
    store,
    log: lines,
    service,
    series: (name) => seriesAt(adminPort, name),
    async metric(series) {
      const value = (await seriesAt(adminPort, series.replace(/\{.*/, '')))[series];
      if (value === undefined) throw new Error(`no series ${series}`);
      return value;
    },
  };
}

async function seriesAt(adminPort: number, name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** A ticket that was issued directly in a store. */
export interface StoredTicket {
  readonly id: string;
  readonly secret: string;
  readonly value: string;
  readonly subject: string;
}

export async function storeTicket(store: TicketStore, fields: Partial<IssueRequest> = {}): Promise<StoredTicket> {
  const subject = fields.subject ?? 'ada';
  const { id, secret } = mintTicket(subject);
  const outcome = await store.issue({
    id,
    subject,
    secretSha256: hashSecret(secret),
    ttlMs: 30_000,
    maxSessionMs: 3_600_000,
    maxPending: 1_000,
    ...fields,
  });
  if (outcome.code !== 'issued') throw new Error(`not issued: ${outcome.code}`);
  return { id, secret, subject, value: formatTicket({ id, secret }) };
}
