/**
 * Measures how long the store takes to consume a ticket, and Redis to answer a PING, through one client. They take
 * turns, so that other load affects both alike.
 *
 *   node consume.mjs <redis url> <file: a JSON list of ticket values> <count> <rate: of each kind per second>
 *
 * The last `count` tickets are measured at that rate. Those before warm up, one after another: code that is not yet
 * compiled is ten times as slow, and some calls pay for its compilation.
 * Prints a line of JSON: `{"consume": {"p50": ..., "p99": ...}, "ping": {...}, "core": 0.3}`, in µs; `core` is the
 * share of a core that this process used.
 */
import { readFileSync } from 'node:fs';
import { RedisLink } from '../../dist/shared/store/redis/redis-link.js';
import { RedisStore } from '../../dist/shared/store/redis/redis-store.js';
import { hashSecret, mintAttemptId, parseTicket } from '../../dist/shared/ticket/ticket.js';
import { quantile } from '../lib/measure/statistics.mjs';
import { sleep, until } from '../lib/processes/wait.mjs';
import { consumeRequest } from '../lib/tickets/consume-request.mjs';

const [url, file, count, rate] = process.argv.slice(2);
const tickets = JSON.parse(readFileSync(file, 'utf8')).map(parseTicket);
const measured = tickets.splice(-Number(count));
const intervalMs = 1000 / Number(rate) / 2;

const link = new RedisLink({ address: { kind: 'single', url }, timeoutMs: 5_000 });
const store = new RedisStore({
  link,
  keyPrefix: 'oncegate:',
  retentionMs: 600_000,
  leaseMs: 90_000,
  historyPerSubject: 1_000,
});
await until(() => store.ready, { what: 'the store is ready' });

const ping = () => link.run((client) => client.ping());

async function consume(ticket) {
  const secretSha256 = hashSecret(ticket.secret);
  const { code } = await store.consume(consumeRequest({ id: ticket.id, secretSha256, attemptId: mintAttemptId() }));
  if (code !== 'admitted') throw new Error(`a ticket was not consumed: ${code}`);
}

async function timed(times, task) {
  const start = performance.now();
  await task();
  times.push((performance.now() - start) * 1000);
}

for (const ticket of tickets) {
  await ping();
  await consume(ticket);
}

const times = { consume: [], ping: [] };
const start = performance.now();
const cpuAtStart = process.cpuUsage();
const running = [];
for (let turn = 0; turn < measured.length * 2; turn += 1) {
  const early = start + turn * intervalMs - performance.now();
  if (early > 0) await sleep(early);
  const task = turn % 2 === 0 ? timed(times.ping, ping) : timed(times.consume, () => consume(measured[(turn - 1) / 2]));
  running.push(task);
}
await Promise.all(running);
const { user, system } = process.cpuUsage(cpuAtStart);
const core = (user + system) / 1000 / (performance.now() - start);
await store.end();

const shown = (values) => ({ p50: quantile(values, 0.5), p99: quantile(values, 0.99) });
process.stdout.write(`${JSON.stringify({ consume: shown(times.consume), ping: shown(times.ping), core })}\n`);
