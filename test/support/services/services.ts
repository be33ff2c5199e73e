import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { JWTPayload } from 'jose';
import { bearer, JWT_SECRET } from '../logins/bearer.ts';
import { atEnd } from '../machine/teardown.ts';
import { until } from '../machine/wait.ts';
import { PATIENCE } from './patience.ts';

const root = join(import.meta.dirname, '..', '..', '..');

export type LogLine = Readonly<Record<string, unknown>>;

/** A service that runs from `dist/` in a process of its own. */
export interface ServiceProcess {
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number;
  /** The JSON lines of its output so far. */
  readonly log: LogLine[];
  /** Its output so far, of both streams. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Kills the process (SIGKILL) and waits until it has ended. */
  stop(): Promise<void>;
}

type Environment = Readonly<Record<string, string>>;

/** Starts `dist/services/<name>/main.js` on free ports. It is killed with the test, or the test file. */
export async function startService(
  name: 'ticket' | 'gateway' | 'standalone',
  env: Environment,
): Promise<ServiceProcess> {
  const { child, output, exited } = launch(name, {
    TICKET_PORT: '0',
    TICKET_ADMIN_PORT: '0',
    GATEWAY_PORT: '0',
    GATEWAY_ADMIN_PORT: '0',
    ...PATIENCE,
    ...env,
  });
  const log: LogLine[] = [];
  const listening = new Promise<LogLine>((resolve, reject) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const parsed = JSON.parse(line) as LogLine;
      log.push(parsed);
      if (parsed.event === 'listening') resolve(parsed);
    });
    exited.then((code) => reject(new Error(`${name} ended with ${code} before it listened: ${output()}`)));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  atEnd(stop);
  const { port, admin_port: adminPort } = await listening;
  return {
    pid: Number(child.pid),
    port: Number(port),
    adminPort: Number(adminPort),
    log,
    output,
    exited,
    stop,
    signal: (signal) => void child.kill(signal),
  };
}

/** Runs a service until it ends by itself. Returns its exit code and its output. */
export async function runToEnd(
  name: 'ticket' | 'gateway' | 'standalone',
  env: Environment,
  args: readonly string[] = [],
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const { exited, stdout, stderr } = launch(name, env, args);
  return { code: await exited, stdout: stdout(), stderr: stderr() };
}

function launch(name: string, env: Environment, args: readonly string[] = []) {
  // The tests' own environment must not configure the service.
  const clean = { PATH: process.env.PATH ?? '', ...env };
  const child: ChildProcess = spawn(process.execPath, [join(root, `dist/services/${name}/main.js`), ...args], {
    cwd: import.meta.dirname,
    env: clean,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
  return { child, exited, stdout: () => stdout, stderr: () => stderr, output: () => stdout + stderr };
}

/** A ticket service and some gateways on one Redis. */
export interface Fleet {
  readonly ticket: ServiceProcess;
  readonly gateways: readonly ServiceProcess[];
}

/** A load comes from one address and few subjects. What is about a limit sets its own. */
const UNLIMITED = {
  MAX_CONNECTIONS_PER_SUBJECT: '0',
  MAX_FAILED_HANDSHAKES_PER_MINUTE: '0',
  MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '0',
};

export async function startFleet(options: {
  readonly redisUrl: string;
  readonly gateways?: number;
  /** For all of them. */
  readonly env?: Environment;
}): Promise<Fleet> {
  const { redisUrl, gateways = 1, env = {} } = options;
  const common = { REDIS_URL: redisUrl, AUTH_JWT_SECRET: JWT_SECRET, ...UNLIMITED, ...env };
  const started = await Promise.all(
    Array.from({ length: gateways }, (_, index) =>
      startService('gateway', { GATEWAY_ID: `gateway-${index + 1}`, ...common }),
    ),
  );
  const ticket = await startService('ticket', { GATEWAY_URL: `ws://localhost:${started[0]?.port ?? 8081}`, ...common });
  await Promise.all([ticket, ...started].map(untilReady));
  return { ticket, gateways: started };
}

async function untilReady({ adminPort }: ServiceProcess): Promise<void> {
  await until(async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok, {
    everyMs: 20,
    what: 'the service is ready',
  });
}

/** The body of a 201 from `POST /tickets`. */
export interface IssuedTicket {
  readonly id: string;
  readonly ticket: string;
  readonly expires_in: number;
  readonly expires_at: string;
  readonly url: string;
  readonly connect_url: string;
  readonly protocols: readonly string[];
}

/** Issues a ticket over HTTP, as an application would. */
/** @param vouched claims of the token that asks for it */
export async function issueTicket(
  service: ServiceProcess,
  subject: string,
  wish: object = {},
  vouched: JWTPayload = {},
): Promise<IssuedTicket> {
  const response = await fetch(`http://127.0.0.1:${service.port}/tickets`, {
    method: 'POST',
    headers: { Authorization: await bearer(subject, '5m', vouched), 'Content-Type': 'application/json' },
    body: JSON.stringify(wish),
  });
  if (response.status !== 201) throw new Error(`issue answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as IssuedTicket;
}

/** The value of one series of a service's `/metrics`, 0 if there is none. */
export async function metric(service: ServiceProcess, series: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${service.adminPort}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}
