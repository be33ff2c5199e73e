import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FULL_CORE } from '../machine/full-core.mjs';
import { onCore, SERVER_CORE } from '../machine/pin.mjs';
import { bench } from '../paths.mjs';
import { atEnd, temporaryFolder } from '../processes/cleanup.mjs';

/**
 * Consumes tickets at a fixed rate, with a PING between every two, in a process of its own on the servers' core.
 *
 * @param {{ redisUrl: string, tickets: readonly { value: string }[], count: number, rate: number }} options the last
 *   `count` tickets are measured; those before warm up
 * @returns {Promise<Record<'consume' | 'ping', { p50: number, p99: number }> & { limitedByLoad: boolean }>} the times in
 *   µs; `limitedByLoad` if the process filled its core, and so also measured its own delay
 */
export async function consumeLatency({ redisUrl, tickets, count, rate }) {
  const folder = temporaryFolder();
  const file = join(folder.path, 'tickets.json');
  writeFileSync(file, JSON.stringify(tickets.map(({ value }) => value)));
  const args = [join(bench, 'probes', 'consume.mjs'), redisUrl, file, String(count), String(rate)];
  const probe = promisify(execFile)(...onCore(SERVER_CORE, process.execPath, args), { timeout: 120_000 });
  const stop = atEnd(() => void probe.child.kill());
  try {
    const { core, ...times } = JSON.parse((await probe).stdout);
    return { ...times, limitedByLoad: core > FULL_CORE };
  } finally {
    await stop();
    await folder.remove();
  }
}
