import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FULL_CORE } from '../machine/full-core.mjs';
import { onCore, SERVER_CORE } from '../machine/pin.mjs';
import { atEnd } from '../processes/cleanup.mjs';
import { bench } from '../processes/paths.mjs';
import { ownFolder } from '../processes/servers.mjs';

/**
 * Consumes tickets at a pace, in a process of its own on the servers' core, with a PING between each two.
 *
 * @param {{ redisUrl: string, tickets: readonly { value: string }[], count: number, rate: number }} options how many of
 *   the tickets are measured; the others warm up
 * @returns {Promise<Record<'consume' | 'ping', { p50: number, p99: number }> & { limitedByLoad: boolean }>} in µs, and
 *   whether the process filled its core, so that it measured how long it kept itself waiting
 */
export async function consumeLatency({ redisUrl, tickets, count, rate }) {
  const folder = ownFolder();
  const remove = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'tickets.json');
  writeFileSync(file, JSON.stringify(tickets.map(({ value }) => value)));
  const args = [join(bench, 'probes', 'consume.mjs'), redisUrl, file, String(count), String(rate)];
  const probe = promisify(execFile)(...onCore(SERVER_CORE, process.execPath, args), { timeout: 120_000 });
  const stop = atEnd(() => void probe.child.kill());
  try {
    const { core, ...times } = JSON.parse((await probe).stdout);
    return { ...times, limitedByLoad: core > FULL_CORE };
  } finally {
    await stop();
    await remove();
  }
}
