import { spawn } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../support/machine/free-port.ts';
import { isMissing } from '../support/machine/programs.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { temporaryDirectory } from '../support/machine/temporary-file.ts';
import { until } from '../support/machine/wait.ts';
import { oncegate } from '../support/services/command-line.ts';
import { codeBlocks, readText } from './pages.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** Far from what several processes take to start on a busy machine. */
const LONG_MS = 120_000;
const PASSWORD = 'a password of the README';
const LISTENING = ['6379', '8080', '8081', '8082', '8083', '9080', '9081', '9082', '9083'];

/** The shell commands of README.md below one heading. */
function commandsBelow(heading: string): string[] {
  const [, section = ''] = new RegExp(`^## ${heading}\\n([\\s\\S]*?)(?=^## )`, 'm').exec(readText('README.md')) ?? [];
  return codeBlocks(section, 'sh');
}

/** A folder that stands for a clone that was built, and the ports of README.md by ports that are free here. */
async function clone(): Promise<{ folder: string; ports: Map<string, string>; env: Record<string, string> }> {
  const folder = temporaryDirectory();
  for (const name of ['dist', 'node_modules', 'package.json']) symlinkSync(join(ROOT, name), join(folder, name));
  const ports = new Map<string, string>();
  for (const port of LISTENING) ports.set(port, String(await freePort()));
  const env = {
    // A busy machine is no overload.
    OVERLOAD_DELAY_MS: '0',
    TICKET_PORT: ports.get('8080') ?? '',
    TICKET_ADMIN_PORT: ports.get('9080') ?? '',
    GATEWAY_PORT: ports.get('8081') ?? '',
    GATEWAY_ADMIN_PORT: ports.get('9081') ?? '',
    GATEWAY_URL: `ws://localhost:${ports.get('8081')}`,
    REDIS_TIMEOUT_MS: '5000',
    TICKET_TTL_SECONDS: '300',
  };
  return { folder, ports, env };
}

/** A command as README.md shows it, but for ports and for what a person would be asked. */
function adapted(command: string, ports: ReadonlyMap<string, string>): string {
  const elsewhere = command.replace(/\b\d{4}\b/g, (port) => ports.get(port) ?? port);
  return elsewhere
    .replaceAll('redis-server ', `redis-server --port ${ports.get('6379')} `)
    .replaceAll('-u ada', `-u 'ada:${PASSWORD}'`)
    .replaceAll('npm start', 'node dist/services/standalone/main.js')
    .replaceAll('npm run build', 'true');
}

/** Runs commands in one shell. What they leave in the background ends with the test. */
function shell(script: string, { folder, env }: { folder: string; env: Record<string, string> }) {
  const child = spawn('bash', ['-ec', script], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const exited = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  atEnd(async () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // All of it has ended already.
    }
    await closed;
  });
  return { exited, output: () => output };
}

const answers = (port: string | undefined) => async (): Promise<boolean> =>
  (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;

describe.skipIf(isMissing('curl'))('the commands of README.md', () => {
  test('add a user, and a handshake of hers is refused with the reason on its record', {
    timeout: 60_000,
  }, async () => {
    const { folder, ports, env } = await clone();
    const [users = ''] = commandsBelow('Who may ask for tickets');
    const [add = '', start = ''] = users.trim().split('\n');
    const [, , name = '', , file = ''] = add.replace('npx oncegate ', '').split(' ');
    const added = await oncegate(['users', 'add', name, '--file', file], { cwd: folder, input: `${PASSWORD}\n` });
    expect(added.stdout).toContain('Added ada in users');

    shell(adapted(start, ports), { folder, env });
    await until(answers(ports.get('9080')), { timeoutMs: LONG_MS });
    const [refused = ''] = commandsBelow('Why a handshake was refused');
    const run = shell(adapted(refused, ports), { folder, env });
    expect(await run.exited).toBe(0);
    const [problem, record] = run
      .output()
      .split(/(?<=\})(?=\{)/)
      .map((text) => JSON.parse(text));
    expect(problem).toMatchObject({ status: 403, code: 'origin_refused' });

    const [shown = ''] = codeBlocks(readText('README.md'), 'json');
    const example = JSON.parse(shown);
    expect(Object.keys(record)).toEqual(Object.keys(example));
    expect(Object.keys(record.last_attempt)).toEqual(Object.keys(example.last_attempt));
    const { outcome, status, origin } = example.last_attempt;
    expect(record).toMatchObject({ subject: 'ada', state: example.state, last_attempt: { outcome, status, origin } });
  });

  test.skipIf(isMissing('redis'))(
    'start three gateways, of which the third is reached',
    { timeout: LONG_MS * 2 },
    async () => {
      const { folder, ports, env } = await clone();
      const added = await oncegate(['users', 'add', 'ada', '--file', 'users'], { cwd: folder, input: `${PASSWORD}\n` });
      expect(added.code).toBe(0);
      const [start = '', reach = ''] = commandsBelow('Three gateways');

      // Without `wait` the shell would be gone, and the group of its children with it.
      const fleet = shell(`${adapted(start, ports)}\nwait`, { folder, env });
      for (const port of ['9080', '9081', '9082', '9083']) {
        const ready = until(answers(ports.get(port)), {
          timeoutMs: LONG_MS,
          what: `port ${port} of the README is ready`,
        });
        const ended = fleet.exited.then(() => Promise.reject(new Error(fleet.output())));
        await Promise.race([ready, ended]);
      }
      const connected = shell(adapted(reach, ports), { folder, env });
      expect(await connected.exited).toBe(0);
      expect(connected.output()).toContain('open\n');
      const third = await (await fetch(`http://127.0.0.1:${ports.get('9083')}/metrics`)).text();
      expect(third).toContain('oncegate_handshakes_total{outcome="admitted"} 1');
    },
  );
});
