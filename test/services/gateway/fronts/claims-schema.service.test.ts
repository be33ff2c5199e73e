import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import { embedGate } from '../../../support/services/embedded-gate.ts';
import { type InProcess, runTicketService, storeTicket } from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';
import { exchange, openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';

let redis: SharedRedis;
let tickets: InProcess;

beforeAll(async () => {
  redis = await workerRedis();
  tickets = await runTicketService({ REDIS_URL: redis.url });
});

const settings = () => ({ REDIS_URL: redis.url });
const recordOf = async (id: string) => (await ask(tickets, `/tickets/${id}`)).body;

/** An upgrade with a ticket that has these claims. */
async function upgradeWith(claims: string): Promise<{ id: string; bytes: string }> {
  const { id, value } = await storeTicket(tickets.store, { claims });
  return { id, bytes: upgradeRequest({ target: `/?ticket=${value}` }) };
}

async function open(port: number, claims: string): Promise<void> {
  const client = await openRaw(port);
  client.send((await upgradeWith(claims)).bytes);
  await until(() => client.received.includes('\r\n\r\n'), { what: 'an answer' });
}

describe('a schema for claims', () => {
  const schema = z.object({ room: z.number(), role: z.enum(['guest', 'host']).default('guest') });

  test('gives what it makes of them', async () => {
    const { port, admitted } = await embedGate({ settings: settings(), claims: schema });
    await open(port, '{"room":7}');

    const rooms: number[] = admitted.map(({ admittance }) => admittance.claims.room);
    expect(rooms).toEqual([7]);
    expect(admitted[0]?.admittance.claims).toEqual({ room: 7, role: 'guest' });
  });

  test('does not see what the caller asked for, which may have a schema too', async () => {
    const { port, admitted } = await embedGate({
      settings: settings(),
      claims: z.strictObject({}),
      clientClaims: z.object({ room: z.number() }),
    });
    for (const clientClaims of ['{"room":7}', '{"room":"seven"}']) {
      const { value } = await storeTicket(tickets.store, { clientClaims });
      const client = await openRaw(port);
      client.send(upgradeRequest({ target: `/?ticket=${value}` }));
      await until(() => client.received.includes('\r\n\r\n'), { what: 'an answer' });
    }

    const rooms: number[] = admitted.map(({ admittance }) => admittance.clientClaims.room);
    expect(rooms).toEqual([7]);
  });

  test('may take its time', async () => {
    const claims = schema.refine(async ({ room }) => room === 7);
    const { port, admitted } = await embedGate({ settings: settings(), claims });
    await open(port, '{"room":7}');

    expect(admitted).toHaveLength(1);
  });

  test('refuses others with 403, and the record says so', async () => {
    const { port, admitted, log, gate } = await embedGate({ settings: settings(), claims: schema });
    const { id, bytes } = await upgradeWith('{"room":"seven"}');
    const [answer] = await exchange(port, bytes);

    expect(answer?.statusLine).toBe('HTTP/1.1 403 Forbidden');
    expect(answer?.values('content-type')).toEqual(['application/problem+json']);
    const detail = 'The claims of the ticket are not what the application expects.';
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 'upstream_refused', status: 403, detail });
    expect(await recordOf(id)).toMatchObject({
      state: 'refused',
      last_attempt: { outcome: 'upstream_refused', status: 403 },
    });
    expect(admitted).toEqual([]);
    expect(log.filter(({ event }) => event === 'refusal')).toMatchObject([
      { code: 'upstream_refused', ticket_id: id, subject: 'ada' },
    ]);
    expect(await gate.metrics.metrics()).toMatch(/^oncegate_handshakes_total\{outcome="admitted"\} 0$/m);
  });

  const broken = (): never => {
    throw new Error('the schema is broken');
  };

  test.each([
    ['throws', z.unknown().transform(broken)],
    ['throws at once', { '~standard': { version: 1, vendor: 'mine', validate: broken } } as const],
    ['rejects', { '~standard': { version: 1, vendor: 'mine', validate: async () => broken() } } as const],
  ])('that %s refuses with 403, and is a fault in the log', async (_name, claims) => {
    const { port, admitted, log } = await embedGate({ settings: settings(), claims });
    const { id, bytes } = await upgradeWith('{}');
    const [answer] = await exchange(port, bytes);

    expect(answer?.statusLine).toBe('HTTP/1.1 403 Forbidden');
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 'upstream_refused', status: 403, ticket_id: id });
    expect(answer?.body).not.toContain('broken');
    expect(admitted).toEqual([]);
    expect(log.filter(({ event }) => event === 'fault')).toMatchObject([{ message: 'the schema is broken' }]);
    expect(await recordOf(id)).toMatchObject({
      state: 'refused',
      last_attempt: { outcome: 'upstream_refused', status: 403 },
    });
  });
});
