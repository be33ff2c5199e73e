import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import type { Fleet } from './services.ts';
import { atEnd } from './teardown.ts';
import { until } from './wait.ts';

const CONFIGURATION = join(import.meta.dirname, '..', '..', 'deploy', 'nginx.conf');
const START_ATTEMPTS = 5;

export interface Nginx {
  readonly port: number;
  /** Everything that it has written so far: the access log and stderr. */
  output(): string;
}

/** A real nginx in front of a fleet, with the configuration that the project ships. It is stopped with the test or the test file. */
export async function startNginx(fleet: Fleet): Promise<Nginx> {
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    try {
      return await startOn(await freePort(), fleet);
    } catch (error) {
      failure = error; // most likely somebody else took the port
    }
  }
  throw new Error('nginx does not start', { cause: failure });
}

async function startOn(port: number, fleet: Fleet): Promise<Nginx> {
  const dir = mkdtempSync(join(tmpdir(), 'oncegate-nginx-'));
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, configurationFor(port, fleet));
  const child = spawn('nginx', ['-p', dir, '-c', file, '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const killWithUs = (): boolean => child.kill('SIGTERM');
  process.on('exit', killWithUs);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = endOf(child);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    process.off('exit', killWithUs);
    rmSync(dir, { recursive: true, force: true });
  };
  const ended = exited.then(() => {
    throw new Error(`nginx ended: ${stderr}`);
  });
  ended.catch(() => {});
  try {
    await Promise.race([ended, until(() => accepts(port), { timeoutMs: 10_000, what: 'nginx listens' })]);
  } catch (error) {
    await stop();
    throw error;
  }
  atEnd(stop);
  return { port, output: () => readFileSync(join(dir, 'access.log'), 'utf8') + stderr };
}

/** The shipped configuration with other addresses. Each of them has to be there once, or it is not what this test thinks it is. */
function configurationFor(port: number, { ticket, gateways }: Fleet): string {
  const addresses: Array<readonly [from: string, to: string]> = [
    ['listen 8080;', `listen 127.0.0.1:${port};`],
    ['server ticket:8080;', `server 127.0.0.1:${ticket.port};`],
    ...gateways.map(
      (gateway, index) => [`server gateway-${index + 1}:8081;`, `server 127.0.0.1:${gateway.port};`] as const,
    ),
  ];
  let configuration = readFileSync(CONFIGURATION, 'utf8');
  for (const [from, to] of addresses) {
    const parts = configuration.split(from);
    if (parts.length !== 2) throw new Error(`deploy/nginx.conf has ${JSON.stringify(from)} ${parts.length - 1} times`);
    configuration = parts.join(to);
  }
  return configuration;
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
