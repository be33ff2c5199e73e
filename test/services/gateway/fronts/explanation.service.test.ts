import { beforeAll, describe, expect, test } from 'vitest';
import { formatTicket } from '../../../../shared/ticket/ticket.ts';
import { parseAnswers } from '../../../support/http/http-answer.ts';
import { until } from '../../../support/machine/wait.ts';
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts';
import { recordInRedis } from '../../../support/services/fleet.ts';
import { type StoredTicket, storeTicket } from '../../../support/services/in-process.ts';
import { clientFrame } from '../../../support/sockets/frames.ts';
import { exchange, openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { type Stage, setStage, turn } from '../stage.ts';
import { gatewayRefusals } from './refusal-cases.ts';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

/** Refusals that Redis decides about, or has to hear of. Those that need it to be away are none of them. */
const explained = gatewayRefusals.filter(({ record, meanwhile }) => record !== 'untouched' && meanwhile === undefined);

describe('the record of a ticket has the refusal before the client has its answer', () => {
  test.each(explained.map((row) => [row.name, row.code, row] as const))('to %s: %s', async (_name, code, row) => {
    const stage = await setStage(redis, row);
    await row.before?.(stage);
    const client = await openRaw(stage.gateway.port);
    await redis.pause();
    client.send(row.bytes(stage.ticket));
    await turn(stage);
    await turn(stage);
    const early = client.received.toString();
    redis.resume();
    await client.closed;

    expect(early).toBe('');
    expect(JSON.parse(String(parseAnswers(client.received)[0]?.body))).toMatchObject({ code });
    expect(await recordInRedis(redis, stage.ticket.id)).toMatchObject({ last_attempt_outcome: code });
  });

  test('to a frame that comes while the store is asked: handshake_malformed, and the ticket is spent', async () => {
    const stage = await setStage(redis);
    await redis.pause();
    const client = await openRaw(stage.gateway.port);
    client.send(upgradeRequest({ target: `/?ticket=${stage.ticket.value}` }));
    await turn(stage);
    client.send(clientFrame(1, 'early'));
    await turn(stage);
    redis.resume();
    await client.closed;

    const [answer] = parseAnswers(client.received);
    expect(JSON.parse(String(answer?.body))).toMatchObject({ code: 'handshake_malformed' });
    expect(await recordInRedis(redis, stage.ticket.id)).toMatchObject({
      state: 'refused',
      last_attempt_outcome: 'handshake_malformed',
    });
  });
});

test('the records of all tickets that came at once have the refusal', async () => {
  const stage = await setStage(redis);
  const { gateway, ticket } = stage;
  const [second, third] = await Promise.all(['bob', 'eve'].map((subject) => storeTicket(gateway.store, { subject })));
  const [answer] = await exchange(
    gateway.port,
    upgradeRequest({
      target: `/?ticket=${ticket.value}`,
      headers: {
        'Sec-WebSocket-Protocol': `oncegate.ticket.${second?.value}`,
        Authorization: `Ticket ${third?.value}`,
      },
    }),
  );

  expect(JSON.parse(String(answer?.body))).toMatchObject({ code: 'handshake_malformed', ticket_id: ticket.id });
  for (const id of [ticket.id, second?.id, third?.id]) {
    expect(await recordInRedis(redis, String(id))).toMatchObject({
      state: 'issued',
      attempts: '1',
      last_attempt_outcome: 'handshake_malformed',
    });
  }
});

describe('whatever Authorization headers a refused request has, the record of each ticket in them has the refusal', () => {
  test.each([
    ['two with tickets', 'handshake_malformed', (a: string, b: string) => [`Ticket ${a}`, `Ticket ${b}`]],
    [
      'others beside them',
      'handshake_malformed',
      (a: string, b: string) => [`Ticket ${a}`, 'Basic YTpi', `Ticket ${b}`],
    ],
    ['joined to one', 'ticket_malformed', (a: string, b: string) => [`Ticket ${a}, Ticket ${b}`]],
  ])('%s: %s', async (_name, code, authorizations) => {
    const { gateway, ticket } = await setStage(redis);
    const second = await storeTicket(gateway.store, { subject: 'bob' });
    const headers = { Authorization: authorizations(ticket.value, second.value) };
    const [answer] = await exchange(gateway.port, upgradeRequest({ headers }));

    expect(JSON.parse(String(answer?.body))).toMatchObject({ code, ticket_id: ticket.id });
    for (const { id } of [ticket, second]) {
      expect(await recordInRedis(redis, id)).toMatchObject({ state: 'issued', last_attempt_outcome: code });
    }
  });
});

describe('a record is not changed', () => {
  const wrong = ({ id, subject }: StoredTicket): StoredTicket => {
    const secret = 'x'.repeat(32);
    return { id, subject, secret, value: formatTicket({ id, secret }) };
  };

  test.each(explained.map((row) => [row.name, row] as const))('by a wrong secret with %s', async (_name, row) => {
    const stage = await setStage(redis, row);
    await row.before?.(stage);
    const before = await recordInRedis(redis, stage.ticket.id);
    await exchange(stage.gateway.port, row.bytes(wrong(stage.ticket)));

    expect(await recordInRedis(redis, stage.ticket.id)).toEqual(before);
  });

  test.each([
    ['in the path', (id: string) => upgradeRequest({ target: `/~${id}/` })],
    ['in the query', (id: string) => upgradeRequest({ target: `/?ticket=${id}` })],
    ['in the query, as a ticket without a secret', (id: string) => upgradeRequest({ target: `/?ticket=ogt_${id}.` })],
    ['in Authorization', (id: string) => upgradeRequest({ headers: { Authorization: `Ticket ${id}` } })],
    ['in a plain GET', (id: string) => upgradeRequest({ target: `/~${id}?ticket=${id}`, headers: { Upgrade: null } })],
  ])('by an id alone %s', async (_name, bytes) => {
    const { gateway, ticket } = await setStage(redis);
    const before = await recordInRedis(redis, ticket.id);
    await exchange(gateway.port, bytes(ticket.id));

    expect(await recordInRedis(redis, ticket.id)).toEqual(before);
  });
});

describe('while a gateway is too busy', () => {
  const CROWD = 120;
  /** What is noted at once then (services/gateway/admission/load.ts). */
  const NOTED = 50;

  test.each([
    {
      code: 'overloaded',
      env: { MAX_PENDING_UPGRADES: '1' },
      async before(stage: Stage) {
        const other = await storeTicket(stage.gateway.store, { subject: 'bob' });
        await redis.pause();
        (await openRaw(stage.gateway.port)).send(upgradeRequest({ target: `/?ticket=${other.value}` }));
        await turn(stage);
      },
    },
    {
      code: 'rate_limited',
      env: { MAX_FAILED_HANDSHAKES_PER_MINUTE: '1' },
      async before({ gateway }: Stage) {
        await exchange(gateway.port, upgradeRequest());
        await redis.pause();
      },
    },
  ])(
    '($code) it notes a bounded number of refusals at once, and answers the others without',
    async ({ code, env, before }) => {
      const stage = await setStage(redis, { env });
      const { gateway } = stage;
      const tickets = await Promise.all(Array.from({ length: CROWD }, () => storeTicket(gateway.store)));
      await before(stage);
      const clients = await Promise.all(tickets.map(() => openRaw(gateway.port)));
      for (const [index, client] of clients.entries()) {
        client.send(upgradeRequest({ target: `/?ticket=${tickets[index]?.value}` }));
      }
      const answered = () => clients.filter((client) => client.received.length > 0).length;
      await until(() => answered() === CROWD - NOTED, { what: 'those that are not noted are answered' });
      await turn(stage);
      expect(answered()).toBe(CROWD - NOTED);
      redis.resume();
      await Promise.all(clients.map(({ closed }) => closed));

      for (const client of clients) {
        expect(JSON.parse(String(parseAnswers(client.received)[0]?.body))).toMatchObject({ code });
      }
      const records = await Promise.all(tickets.map(({ id }) => recordInRedis(redis, id)));
      expect(records.filter(({ last_attempt_outcome: outcome }) => outcome === code)).toHaveLength(NOTED);
      expect(records.filter(({ attempts }) => attempts === '0')).toHaveLength(CROWD - NOTED);
    },
  );
});
