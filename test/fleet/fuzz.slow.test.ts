import { beforeAll, describe, expect, test } from 'vitest';
import { type RefusalCode, rowOf } from '../../shared/refusals.ts';
import { certainKinds, type MalformedUpgrade, malformedUpgrade } from '../support/hostile/malformed-upgrades.ts';
import { tried } from '../support/hostile/tried.ts';
import { type Answer, problemOf } from '../support/http/http-answer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { scaled } from '../support/machine/scale.ts';
import { until } from '../support/machine/wait.ts';
import { seedOfRun } from '../support/numbers/random.ts';
import { type RedisServer, startRedis } from '../support/redis/redis.ts';
import { faultsOf, handshakesByOutcome, recordInRedis } from '../support/services/fleet.ts';
import { type Fleet, issueTicket, type ServiceProcess, startFleet } from '../support/services/services.ts';
import { acceptedSockets } from '../support/sockets/accepted-sockets.ts';
import { type Outcome, RawClient } from '../support/sockets/raw-client.ts';
import { upgradeLines, upgradeRequest } from '../support/sockets/upgrade-request.ts';

const REQUESTS = scaled(20_000, 500_000);
const AT_ONCE = 100;

/** A request head has to be complete within 10 s; a client that is kept waiting far past that is stuck. */
const STUCK_MS = 60_000;

const seed = seedOfRun();

describe.skipIf(isMissing('redis'))(`a gateway that is sent ${REQUESTS} malformed upgrade requests`, () => {
  let redis: RedisServer;
  let fleet: Fleet;
  let gateway: ServiceProcess;
  let dripping: Promise<Outcome[]>;
  const complaints: string[] = [];
  let overtaken = 0;

  beforeAll(
    async () => {
      redis = await startRedis();
      fleet = await startFleet({ redisUrl: redis.url });
      gateway = fleet.gateways[0] ?? fleet.ticket;
      dripping = Promise.all(Array.from({ length: 10 }, () => neverComplete(gateway.port)));
      let next = 0;
      const client = async (): Promise<void> => {
        for (let index = next++; index < REQUESTS; index = next++) {
          const malformed = malformedUpgrade(seed + index);
          const outcome = await send(gateway.port, malformed);
          if (isOvertaken(malformed, outcome)) overtaken += 1;
          const complaint = complaintAbout(malformed, outcome);
          if (complaint) complaints.push(`ONCEGATE_SEED=${seed + index} (${malformed.kind}): ${complaint}`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, client));
    },
    scaled(600_000, 3_600_000),
  );

  test('answers each of them completely, with a refusal of the table, and closes', (context) => {
    tried(context, REQUESTS);
    expect(complaints).toStrictEqual([]);
    expect(overtaken).toBeLessThan(REQUESTS / 1_000);
  });

  test('admits none of them', async () => {
    const outcomes = await handshakesByOutcome(fleet.gateways);
    const refused = Object.values(outcomes).reduce((sum, count) => sum + count, 0);

    expect(outcomes.admitted).toBeUndefined();
    expect(refused).toBeGreaterThan(REQUESTS * 0.8);
  });

  test('refuses a head that never ends', async () => {
    for (const outcome of await dripping) {
      expect(outcome.kind === 'refused' && outcome.answers.map(({ status }) => status)).toStrictEqual([408]);
    }
  });

  test('lets go of every socket', async () => {
    const held = await RawClient.connect(gateway.port);
    await until(async () => (await acceptedSockets(gateway)) === 1, { what: 'one socket is left' });
    await held.destroy();
    await until(async () => (await acceptedSockets(gateway)) === 0, { what: 'no socket is left' });
  });

  test('spends no good ticket on a request that is broken for certain', async () => {
    const { id, ticket } = await issueTicket(fleet.ticket, 'ada');
    for (const [index, kind] of certainKinds.entries()) {
      for (let round = 0; round < 10; round += 1) {
        const malformed = malformedUpgrade(seed + index * 10 + round, { kind, ticket });
        expect(complaintAbout(malformed, await send(gateway.port, malformed)), kind).toBeUndefined();
      }
    }

    expect(await recordInRedis(redis, id)).toMatchObject({ state: 'issued' });
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket }));
    expect((await client.outcome).kind).toBe('open');
  });

  test('is still the same process, without a fault, and opens for a good client', async () => {
    const { ticket } = await issueTicket(fleet.ticket, 'ada');
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket }));
    expect((await client.outcome).kind).toBe('open');

    expect(await Promise.race([gateway.exited, 'running'])).toBe('running');
    expect(gateway.log.filter(({ event }) => event === 'listening')).toHaveLength(1);
    expect(faultsOf(fleet)).toStrictEqual([]);
  });
});

/** Plays the client's part to its end. An answer that is not complete to the byte fails. */
async function send(port: number, { packets, ending, bodiless }: MalformedUpgrade): Promise<Outcome | Error> {
  const client = await RawClient.connect(port, { bodiless });
  const { socket } = client;
  for (const packet of packets) await new Promise<void>((resolve) => socket.write(packet, () => resolve()));
  if (ending === 'half-close') socket.end();
  if (ending === 'reset') socket.resetAndDestroy();
  if (ending === 'vanish') socket.destroy();

  const patience = setTimeout(() => socket.destroy(new Error('stuck')), STUCK_MS);
  try {
    return await client.outcome;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    clearTimeout(patience);
    await client.destroy();
  }
}

/** Whether a reset came in place of the answer, where a client that sends on after its request has to expect one. */
function isOvertaken({ ending, overrun }: MalformedUpgrade, outcome: Outcome | Error): boolean {
  const waited = ending === 'wait' || ending === 'half-close';
  return waited && overrun && !(outcome instanceof Error) && outcome.kind === 'reset';
}

/** What is wrong with the way in which a malformed request was met, if anything is. */
function complaintAbout(malformed: MalformedUpgrade, outcome: Outcome | Error): string | undefined {
  if (outcome instanceof Error) return outcome.message;
  if (outcome.kind === 'open') return 'admitted';
  if (malformed.ending === 'reset' || malformed.ending === 'vanish') return undefined;
  if (isOvertaken(malformed, outcome)) return undefined;
  if (outcome.kind === 'reset') return `reset after ${JSON.stringify(outcome.received.toString('latin1'))}`;
  const [answer, ...more] = outcome.answers;
  const blank = Buffer.concat(malformed.packets).toString('latin1').trim() === '';
  if (answer === undefined) return blank ? undefined : 'no answer';
  if (more.length > 0) return `${more.length + 1} answers`;
  return complaintAboutAnswer(answer, malformed.bodiless);
}

function complaintAboutAnswer(answer: Answer, bodiless: boolean): string | undefined {
  const { status } = answer;
  if (answer.header('connection')?.startsWith('close') !== true) return `${status} without Connection: close`;
  if (bodiless) return status === 405 ? undefined : `${status} to HEAD`;
  const { code } = problemOf(answer);
  // What is no code of the table has no row, which is a complaint of its own.
  return rowOf(code as RefusalCode)?.status === status ? undefined : `${status} ${code}`;
}

/** A client that sends a part of a request, and waits. */
async function neverComplete(port: number): Promise<Outcome> {
  const lines = upgradeLines();
  const client = await RawClient.send(port, lines.slice(0, 3).join('\r\n'));
  return client.outcome;
}
