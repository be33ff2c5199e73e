import { beforeEach, describe, expect, test } from 'vitest';
import { problemOf } from '../support/http/http-answer.ts';
import { bearer } from '../support/logins/bearer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { recordInRedis } from '../support/services/fleet.ts';
import { type Fleet, type IssuedTicket, issueTicket, startFleet } from '../support/services/services.ts';
import { issueRequest } from '../support/services/steady-load.ts';
import { RawClient } from '../support/sockets/raw-client.ts';
import { upgradeRequest } from '../support/sockets/upgrade-request.ts';

const LEASE_MS = 4_000;
const SUBJECTS = Array.from({ length: 20 }, (_, index) => `subject-${index}`);

describe.skipIf(isMissing('redis'))('a subject that may have one connection', () => {
  let redis: RedisServer;
  let fleet: Fleet;

  beforeEach(async () => {
    redis = await startRedis();
    const env = {
      MAX_CONNECTIONS_PER_SUBJECT: '1',
      LEASE_SECONDS: String(LEASE_MS / 1000),
      REDIS_TIMEOUT_MS: '1000',
    };
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
    const opening = await onlyAnswer(client);
    return { result: opening.status === 101 ? '101' : problemOf(opening).code, client };
  }

  async function timeOfRedis(): Promise<number> {
    const [seconds, microseconds] = await redis.client.time();
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  }

  /**
   * Tries until it connects. Whoever asks when the lease is over by the clock of Redis is not refused
   * for what it was for; how long a busy machine takes is no matter.
   */
  async function connectAgain(subject: string, index: number, leaseEnd: number): Promise<void> {
    const again = async (): Promise<boolean> => {
      const askedAt = await timeOfRedis();
      const { result } = await tryToConnect(subject, index);
      if (result === 'connection_limit') refusedAt.push(askedAt);
      return result === '101';
    };
    const refusedAt: number[] = [];
    await until(again, { everyMs: 20, what: `${subject} connects again` });
    expect(refusedAt.filter((askedAt) => askedAt > leaseEnd)).toStrictEqual([]);
  }

  const hangs = [
    { name: 'for a moment', forMs: 2_000 },
    { name: 'until it was given up', forMs: 6_500 },
  ];
  for (const { name, forMs } of hangs) {
    test(`connects again within a lease after Redis hung ${name} during a consume`, async () => {
      const tickets = await Promise.all(SUBJECTS.map((subject) => issueTicket(fleet.ticket, subject)));
      await redis.pause();
      const pausedAt = performance.now();
      const refused = await Promise.all(tickets.map(async (issued, index) => onlyAnswer(await present(issued, index))));
      expect(new Set(refused.map((answer) => problemOf(answer).code))).toStrictEqual(new Set(['store_unavailable']));
      await until(() => performance.now() - pausedAt >= forMs, { what: 'the hang' });

      redis.resume();
      const leaseEnd = (await timeOfRedis()) + LEASE_MS;
      await Promise.all(SUBJECTS.map((subject, index) => connectAgain(subject, index, leaseEnd)));

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

    await connectAgain('ada', 1, (await timeOfRedis()) + LEASE_MS);
  });
});

async function onlyAnswer(client: RawClient) {
  const outcome = await client.outcome;
  if (outcome.kind === 'reset') throw new Error('the connection was broken');
  const [answer, ...more] = outcome.kind === 'open' ? [outcome.answer] : outcome.answers;
  if (answer === undefined || more.length > 0) throw new Error(`${more.length + 1} answers where one belongs`);
  return answer;
}
