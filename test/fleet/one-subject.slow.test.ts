import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingRow } from '../../shared/settings/table.ts';
import { httpRequest } from '../support/http/http-request.ts';
import { bearer } from '../support/logins/bearer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { scaled } from '../support/machine/scale.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { type Fleet, startFleet } from '../support/services/services.ts';
import { issueRequest } from '../support/services/steady-load.ts';
import { RawClient } from '../support/sockets/raw-client.ts';
import { upgradeRequest } from '../support/sockets/upgrade-request.ts';

const ATTACK_MS = scaled(60_000, 600_000);
const LOOPS = 4;
const BYSTANDERS = 4;
/** docs/operations.md: what one subject can fill at the defaults. */
const BUDGET_BYTES = 4.3 * 1_024 * 1_024;
/** The rate, the read or the sets, the operation, and what is forgotten or told to a gateway. */
const MOST_SCRIPTS_EACH = 4;

const LIMITS = ['MAX_CONNECTIONS_PER_SUBJECT', 'MAX_FAILED_HANDSHAKES_PER_MINUTE'] as const;
const LONG = {
  claims: { text: 'c'.repeat(4_000) },
  path: `/${'p'.repeat(1_000)}`,
};

/** Not the address of the others: what failed there is counted against it. */
const ELSEWHERE = { 'X-Forwarded-For': '192.0.2.9' };

let redis: RedisServer;
let fleet: Fleet;
const sockets: RawClient[] = [];

beforeAll(async () => {
  if (isMissing('redis')) return;
  redis = await startRedis();
  const finite = Object.fromEntries(LIMITS.map((name) => [name, settingRow(name).default ?? '']));
  // The rate of requests would end the attack within seconds; without it the other bounds have to hold.
  fleet = await startFleet({ redisUrl: redis.url, env: { ...finite, ALLOWED_ORIGINS: '*', TRUST_PROXY: '127.0.0.1' } });
});
afterAll(async () => {
  await Promise.all(sockets.map((client) => client.destroy()));
});

async function statistics(): Promise<{ scripts: number; scriptUs: number }> {
  const text = await redis.client.info('commandstats');
  const [, calls = '0', us = '0'] = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(text) ?? [];
  return { scripts: Number(calls), scriptUs: Number(us) };
}

/** The bytes of all that a subject has, by the digest that its keys have as their hash tag. */
async function bytesOf(tag: string): Promise<number> {
  const keys = await redis.client.keys(`*{${tag}}*`);
  const sizes = await Promise.all(keys.map((key) => redis.client.memory('USAGE', key, 'SAMPLES', 0)));
  return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
}

test.skipIf(isMissing('redis'))('one subject doing its worst is bounded, and all others are served', async () => {
  const [gateway] = fleet.gateways;
  const { ticket } = fleet;
  const worst = { Authorization: await bearer('worst'), 'Content-Type': 'application/json' };
  const json = JSON.stringify(LONG);
  const until = performance.now() + ATTACK_MS;
  const refused: unknown[] = [];
  let served = 0;
  let requests = 0;
  let tag = '';

  async function asWorst(method: string, path: string, body?: string) {
    requests += 1;
    const answer = await httpRequest(ticket.port, path, {
      method,
      headers: worst,
      ...(body !== undefined && { body }),
    });
    return answer.body;
  }
  async function upgrade(issued: { ticket: string }, origin: string, path = LONG.path): Promise<void> {
    requests += 1;
    const target = `${path}?ticket=${issued.ticket}`;
    const client = await RawClient.send(
      gateway?.port ?? 0,
      upgradeRequest({ target, headers: { Origin: origin, ...ELSEWHERE } }),
    );
    const outcome = await client.outcome;
    if (outcome.kind === 'open') sockets.push(client);
    else await client.destroy();
  }
  async function attack(): Promise<void> {
    for (let round = 0; performance.now() < until; round += 1) {
      const issued = (await asWorst('POST', '/tickets', json)) as { id?: string; ticket: string }; // or a refusal
      if (issued.id === undefined) continue; // too many are unspent
      tag = issued.id.slice(0, 11);
      if (round % 4 === 0) await upgrade(issued, 'http://localhost');
      else if (round % 4 === 1) await upgrade(issued, `x${'y'.repeat(12_000)}`, '/other');
      else await asWorst('DELETE', `/tickets/${issued.id}`);
      if (round % 2 === 0) await asWorst('GET', '/tickets?limit=200');
    }
  }
  async function bystander(name: string): Promise<void> {
    const authorization = await bearer(name);
    while (performance.now() < until) {
      const asked = await RawClient.send(ticket.port, issueRequest(authorization));
      const outcome = await asked.outcome;
      const answer = outcome.kind === 'refused' ? outcome.answers[0] : undefined;
      await asked.destroy();
      if (answer?.status !== 201) {
        refused.push({ name, status: answer?.status, body: answer?.body });
        continue;
      }
      const issued = JSON.parse(answer.body) as { ticket: string }; // what the service answers with
      const client = await RawClient.send(gateway?.port ?? 0, upgradeRequest({ ticket: issued.ticket }));
      const opened = await client.outcome;
      await client.destroy();
      if (opened.kind === 'open') served += 1;
      else refused.push({ name, outcome: opened.kind });
    }
  }
  /** The time of Redis for each script, in each third of the attack. */
  async function costs(): Promise<number[]> {
    const marks = [await statistics()];
    for (let third = 1; third <= 3; third += 1) {
      const mark = until - ATTACK_MS * (1 - third / 3);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, mark - performance.now())));
      marks.push(await statistics());
    }
    return marks.slice(1).map((mark, index) => {
      const before = marks[index] ?? mark;
      return (mark.scriptUs - before.scriptUs) / Math.max(1, mark.scripts - before.scripts);
    });
  }

  const before = await statistics();
  const attackers = Array.from({ length: LOOPS }, attack);
  const bystanders = Array.from({ length: BYSTANDERS }, (_, index) => bystander(`bystander-${index}`));
  const [thirds] = await Promise.all([costs(), ...attackers, ...bystanders]);
  const after = await statistics();

  expect(refused).toEqual([]);
  expect(served).toBeGreaterThan(0);
  expect(await bytesOf(tag)).toBeLessThan(BUDGET_BYTES);
  // A bystander's round is five scripts: the rate, issue, consume, close, and perhaps a lease or what is forgotten.
  expect(after.scripts - before.scripts).toBeLessThan((requests + served * 3) * MOST_SCRIPTS_EACH);
  // No script gets dearer with what was done before.
  expect(thirds[2]).toBeLessThan(3 * (thirds[0] ?? 0));
});
