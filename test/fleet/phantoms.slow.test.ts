import { beforeEach, describe, expect, test } from 'vitest';
import { problemOf } from '../support/http/http-answer.ts';
import { bearer } from '../support/logins/bearer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { recordInRedis } from '../support/services/fleet.ts';
import { type Fleet, type IssuedTicket, issueTicket, startFleet } from '../support/services/services.ts';
import { issueRequest } from '../support/services/steady-load.ts';
import { RawClient, upgradeRequest } from '../support/sockets/raw-upgrade.ts';

const LEASE_MS = 2_000;
const SUBJECTS = Array.from({ length: 20 }, (_, index) => `subject-${index}`);

describe.skipIf(isMissing('redis'))('a subject that may have one connection', () => {
  let redis: RedisServer;
  let fleet: Fleet;

  beforeEach(async () => {
    redis = await startRedis();
    const env = { MAX_CONNECTIONS_PER_SUBJECT: '1', LEASE_SECONDS: String(LEASE_MS / 1000) };
    fleet = await startFleet({ redisUrl: redis.url, gateways: 2, env });
  });

  function present(issued: IssuedTicket, index: number): Promise<RawClient> {
    const gateway = fleet.gateways[index % fleet.gateways.length];
    return RawClient.send(gateway?.port ?? 0, upgradeRequest({ ticket: issued.ticket }));
  }

  /** Asks for a ticket and connects; what became of it: `101`, or the code of the first refusal. */
  async function tryToConnect(subject: string, index: number): Promise<{ result: string; client: RawClient }> {
    const asked = await RawClient.send(fleet.ticket.port, issueRequest(await bearer(subject)));
    const answer = await onlyAnswer(asked);
    if (answer.status !== 201) return { result: problemOf(answer).code, client: asked };
    const client = await present(JSON.parse(answer.body) as IssuedTicket, index); // what the service answers with
    const { status, ...rest } = await onlyAnswer(client);
    return { result: status === 101 ? '101' : problemOf({ status, ...rest }).code, client };
  }

  const hangs = [
    { name: 'for a moment', forMs: 1_000 },
    { name: 'until it was given up', forMs: 6_500 },
  ];
  for (const { name, forMs } of hangs) {
    test(`connects again within a lease after Redis hung ${name} during a consume`, async () => {
      const tickets = await Promise.all(SUBJECTS.map((subject) => issueTicket(fleet.ticket, subject)));
      await redis.pause();
      const pausedAt = performance.now();
      const refused = await Promise.all(tickets.map(async (issued, index) => onlyAnswer(await present(issued, index))));
      expect(new Set(refused.map((answer) => problemOf(answer).code))).toStrictEqual(new Set(['store_unavailable']));
      await until(() => performance.now() - pausedAt >= forMs, { timeoutMs: forMs + 1_000 });

      redis.resume();
      const resumedAt = performance.now();
      const reconnected = SUBJECTS.map(async (subject, index) => {
        const again = async (): Promise<boolean> => (await tryToConnect(subject, index)).result === '101';
        await until(again, { timeoutMs: LEASE_MS, everyMs: 20, what: `${subject} connects again` });
        return performance.now() - resumedAt;
      });
      expect(Math.max(...(await Promise.all(reconnected)))).toBeLessThan(LEASE_MS);

      // The consumes did run when Redis went on, or there was nothing to undo.
      const records = await Promise.all(tickets.map(({ id }) => recordInRedis(redis, id)));
      const undone = records.filter(
        ({ state, close_reason: why }) => state === 'closed' && why === 'store_unavailable',
      );
      expect(undone.length).toBeGreaterThan(0);
      expect(records.filter(({ state }) => state === 'open')).toStrictEqual([]);
      expect((await tryToConnect('subject-0', 0)).result).toBe('connection_limit');
    });
  }

  test('connects again within a lease after the gateway that held its connection was killed', async () => {
    const [first] = fleet.gateways;
    expect((await tryToConnect('ada', 0)).result).toBe('101');
    expect((await tryToConnect('ada', 1)).result).toBe('connection_limit');
    await first?.stop();
    const again = async (): Promise<boolean> => (await tryToConnect('ada', 1)).result === '101';
    const killedAt = performance.now();
    await until(again, { everyMs: 20, what: 'ada connects again' });

    expect(performance.now() - killedAt).toBeLessThan(LEASE_MS + 500);
  });
});

async function onlyAnswer(client: RawClient) {
  const outcome = await client.outcome;
  if (outcome.kind === 'reset') throw new Error('the connection was broken');
  const [answer, ...more] = outcome.kind === 'open' ? [outcome.answer] : outcome.answers;
  if (answer === undefined || more.length > 0) throw new Error(`${more.length + 1} answers where one belongs`);
  return answer;
}
