import { beforeAll, describe, expect, test } from 'vitest';
import { bearer } from '../../../support/logins/bearer.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import { recordInRedis } from '../../../support/services/fleet.ts';
import { type InProcess, runGateway, runTicketService, storeTicket } from '../../../support/services/in-process.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { openWithTicket } from '../../../support/sockets/web-socket.ts';

let redis: SharedRedis;

beforeAll(async () => {
  redis = await workerRedis();
});

const requests = [
  { method: 'GET', target: (id: string) => `/tickets/${id}` },
  { method: 'HEAD', target: (id: string) => `/tickets/${id}` },
  { method: 'DELETE', target: (id: string) => `/tickets/${id}` },
  { method: 'POST', target: (id: string) => `/tickets/${id}/renew` },
] as const;

/** All bytes of the answer, except its times. */
async function answerTo({ port }: InProcess, method: string, target: string, authorization?: string): Promise<string> {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: tickets.example',
    'Connection: close',
    ...(method === 'POST' ? ['Content-Length: 0'] : []),
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
  ];
  const client = await openRaw(port);
  client.send(`${lines.join('\r\n')}\r\n\r\n`);
  await client.closed;
  return client.received.toString().replace(/\r\nDate: [^\r]+/, '');
}

describe.each(['unspent', 'open'] as const)("somebody else's ticket that is %s", (state) => {
  test.each(requests)(
    'gets the answer of an unknown ticket for $method, and is not changed',
    async ({ method, target }) => {
      const gateway = await runGateway({ REDIS_URL: redis.url });
      // What is left of a rate would differ.
      const service = await runTicketService({ REDIS_URL: redis.url, MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '0' });
      const ticket = await storeTicket(gateway.store, { subject: 'bob' });
      const client = state === 'open' ? await openWithTicket(gateway.port, ticket.value) : undefined;
      const before = await recordInRedis(redis, ticket.id);
      const unknown = [`${ticket.id.slice(0, 11)}${'A'.repeat(11)}`, 'A'.repeat(22)];

      const others = [
        { status: 404, authorization: await bearer('ada') },
        { status: 401, authorization: undefined },
        { status: 401, authorization: 'Bearer of.bad.news' },
        { status: 401, authorization: await bearer('bob', '1 minute ago') },
      ];
      for (const { status, authorization } of others) {
        const ask = (id: string) => answerTo(service, method, target(id), authorization);
        const answer = await ask(ticket.id);
        expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
        for (const id of unknown) expect(await ask(id)).toBe(answer);
      }

      expect(await recordInRedis(redis, ticket.id)).toEqual(before);
      expect(client?.closedAt()).toBeUndefined();
      expect(await answerTo(service, 'GET', `/tickets/${ticket.id}`, await bearer('bob'))).toMatch(/^HTTP\/1\.1 200 /);
    },
  );
});
