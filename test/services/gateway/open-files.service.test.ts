import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../support/machine/wait.ts';
import type { LogLine } from '../../support/services/services.ts';
import { exchange } from '../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../support/sockets/upgrade-request.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Runs a service that may have only so many files open. */
async function start(name: 'gateway' | 'ticket', files: number) {
  const main = join(ROOT, `dist/services/${name}/main.js`);
  const child = spawn('bash', ['-c', `ulimit -n ${files}; exec "$0" "$1"`, process.execPath, main], {
    cwd: import.meta.dirname,
    env: {
      PATH: process.env.PATH,
      REDIS_URL: 'redis://127.0.0.1:1',
      AUTH_JWT_SECRET: 'a secret of this test, long enough for HS256',
      ...{ TICKET_PORT: '0', TICKET_ADMIN_PORT: '0', GATEWAY_PORT: '0', GATEWAY_ADMIN_PORT: '0' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const log: LogLine[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => log.push(JSON.parse(line) as LogLine)); // one object a line
  const listening = await until(() => log.find(({ event }) => event === 'listening'));
  return { log, port: Number(listening.port), adminPort: Number(listening.admin_port) };
}

/** Opens so many connections that say nothing. Resolves when each is open, or was closed by the server. */
async function hold(port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))),
  );
  return sockets;
}

test.each(['gateway', 'ticket'] as const)(
  'a %s with 120 files says so, and its admin port answers beside 160 clients',
  async (name) => {
    const { log, port, adminPort } = await start(name, 120);
    const sockets = await hold(port, 160);
    await until(() => log.some(({ event }) => event === 'open_files_exhausted'));
    await until(() => sockets.some(({ destroyed }) => destroyed));

    expect((await fetch(`http://127.0.0.1:${adminPort}/livez`)).status).toBe(200);
    expect(log.map(({ event }) => event)).toContain('open_files_too_few');
    expect(sockets.some(({ destroyed }) => !destroyed)).toBe(true);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await exchange(port, upgradeRequest({ ticket: 'none' })).catch(() => [])).length === 1);
  },
);

test('a gateway refuses an upgrade for which there is still a file, with overloaded', async () => {
  const { port } = await start('gateway', 120);
  const refused = upgradeRequest({ ticket: 'none' });
  const held: Socket[] = [];
  const code = await until(async () => {
    held.push(...(await hold(port, 2)));
    const [answer] = await exchange(port, refused);
    return answer?.status === 503 ? answer.body : undefined;
  });

  expect(JSON.parse(code)).toMatchObject({ code: 'overloaded', retry: 'backoff' });
});

test('a service with enough files says nothing', async () => {
  const { log } = await start('gateway', 4_096);

  expect(log.filter(({ level }) => level === 'warn')).toEqual([]);
});
