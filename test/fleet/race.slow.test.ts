import { beforeAll, describe, expect, test } from 'vitest';
import { refusals } from '../../shared/refusals.ts';
import { tried } from '../support/hostile/tried.ts';
import { problemOf } from '../support/http/http-answer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { faultsOf, handshakesByOutcome, metricSum, recordInRedis } from '../support/services/fleet.ts';
import { type Fleet, type IssuedTicket, issueTicket, startFleet } from '../support/services/services.ts';
import { type Outcome, RawClient } from '../support/sockets/raw-client.ts';
import { type CarrierName, upgradeRequest } from '../support/sockets/upgrade-request.ts';

const SUBJECTS = 25;
const TICKETS_EACH = 40;
const PRESENTATIONS = 20;
const TICKETS = SUBJECTS * TICKETS_EACH;
const CARRIERS: readonly CarrierName[] = ['query', 'subprotocol', 'authorization'];

describe.skipIf(isMissing('redis'))('a thousand tickets, each presented 20 times at once to three gateways', () => {
  let redis: RedisServer;
  let fleet: Fleet;
  const tickets: IssuedTicket[] = [];
  const winners: RawClient[] = [];
  const faults: string[] = [];

  /** One ticket to all gateways at once, over sockets that are connected already. */
  async function presentAtOnce(issued: IssuedTicket): Promise<void> {
    const clients = await Promise.all(
      Array.from({ length: PRESENTATIONS }, (_, index) => RawClient.connect(portOf(index))),
    );
    for (const [index, client] of clients.entries()) {
      const carrier = CARRIERS[Math.floor(index / fleet.gateways.length) % CARRIERS.length] ?? 'query';
      client.socket.write(upgradeRequest({ ticket: issued.ticket, carrier }));
    }
    const outcomes = await Promise.all(clients.map((client) => client.outcome));
    const opened = clients.filter((_, index) => outcomes[index]?.kind === 'open');
    winners.push(...opened);
    if (opened.length !== 1) faults.push(`${opened.length} presentations of ${issued.id} were admitted`);
    const losers = outcomes.filter((outcome) => outcome.kind !== 'open');
    faults.push(...losers.flatMap((outcome) => faultOfLoser(outcome, issued)));
  }

  function portOf(index: number): number {
    return fleet.gateways[index % fleet.gateways.length]?.port ?? 0;
  }

  beforeAll(async () => {
    redis = await startRedis();
    fleet = await startFleet({ redisUrl: redis.url, gateways: 3 });
    await Promise.all(
      Array.from({ length: SUBJECTS }, async (_, subject) => {
        for (let count = 0; count < TICKETS_EACH; count += 1) {
          const issued = await issueTicket(fleet.ticket, `subject-${subject}`);
          tickets.push(issued);
          await presentAtOnce(issued);
        }
      }),
    );
    return () => Promise.all(winners.map((winner) => winner.destroy()));
  }, 600_000);

  test('opens each of them exactly once', (context) => {
    tried(context, 20_000);
    expect(new Set(tickets.map(({ id }) => id)).size).toBe(TICKETS);
    expect(winners).toHaveLength(TICKETS);
    for (const [index, { socket, received }] of winners.entries()) {
      expect(socket.destroyed || socket.readableEnded, `winner ${index}`).toBe(false);
      expect(received.toString('latin1'), `winner ${index}`).toContain('{"type":"hello","ticket_id":"');
    }
  });

  test('answers each loser with a complete 401 and closes its socket', () => {
    expect(faults).toStrictEqual([]);
  });

  test('opens one connection for each ticket id, spread over the three gateways', async () => {
    const greeted = winners.map(({ received }) => /"ticket_id":"([^"]+)"/.exec(received.toString('latin1'))?.[1]);
    const holders = await Promise.all(tickets.map(async ({ id }) => (await recordInRedis(redis, id)).gateway));

    expect(greeted.sort()).toStrictEqual(tickets.map(({ id }) => id).sort());
    expect([...new Set(holders)].sort()).toStrictEqual(['gateway-1', 'gateway-2', 'gateway-3']);
  });

  test('counts 1,000 admitted handshakes and 19,000 replays, and nothing else', async () => {
    const replays = TICKETS * (PRESENTATIONS - 1);

    expect(await handshakesByOutcome(fleet.gateways)).toStrictEqual({ admitted: TICKETS, ticket_consumed: replays });
    expect(await metricSum(fleet.gateways, 'oncegate_replays_total')).toBe(replays);
    expect(await metricSum(fleet.gateways, 'oncegate_connections_open')).toBe(TICKETS);
    expect(await metricSum([fleet.ticket], 'oncegate_tickets_issued_total')).toBe(TICKETS);
    const replayLines = fleet.gateways.flatMap(({ log }) => log).filter(({ event }) => event === 'replay');
    expect(replayLines).toHaveLength(replays);
  });

  test('has every presentation on the record, while the connection is open and when it has closed', async () => {
    const records = () => Promise.all(tickets.map(({ id }) => recordInRedis(redis, id)));

    for (const { state, attempts } of await records()) {
      expect({ state, attempts }).toStrictEqual({ state: 'open', attempts: String(PRESENTATIONS) });
    }
    await Promise.all(winners.map((winner) => winner.destroy()));
    await until(async () => (await records()).every(({ state }) => state === 'closed'), { what: 'all are closed' });
    for (const { attempts, close_code } of await records()) {
      expect({ attempts, close_code }).toStrictEqual({ attempts: String(PRESENTATIONS), close_code: '1006' });
    }
    expect(await metricSum(fleet.gateways, 'oncegate_connections_open')).toBe(0);
    expect(faultsOf(fleet)).toStrictEqual([]);
  });
});

/** What is wrong with the answer to one that came too late. Its framing has been checked to the byte. */
function faultOfLoser(outcome: Outcome, { id }: IssuedTicket): string[] {
  if (outcome.kind !== 'refused') return [`${id}: ${outcome.kind}`];
  const [answer, ...more] = outcome.answers;
  if (answer === undefined || more.length > 0) return [`${id}: ${outcome.answers.length} answers`];
  const problem = problemOf(answer);
  const seen = {
    status: `${answer.status} ${answer.reason}`,
    connection: answer.header('connection'),
    challenge: answer.header('www-authenticate'),
    problem,
  };
  const expected = {
    status: '401 Unauthorized',
    connection: 'close',
    challenge: 'Ticket realm="oncegate", error="ticket_consumed"',
    problem: {
      type: 'urn:oncegate:problem:ticket_consumed',
      title: refusals.ticket_consumed.title,
      status: 401,
      code: 'ticket_consumed',
      detail: refusals.ticket_consumed.detail,
      retry: 'reissue',
      ticket_id: id,
    },
  };
  return JSON.stringify(seen) === JSON.stringify(expected) ? [] : [`${id}: ${JSON.stringify(seen)}`];
}
