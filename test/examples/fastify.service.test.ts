import { beforeAll, expect, test } from 'vitest';
import { until } from '../support/machine/wait.ts';
import { type Client, openWebSocket } from '../support/sockets/web-socket.ts';
import { type EmbeddedExample, startEmbedded } from './embedded.ts';

let example: EmbeddedExample;
beforeAll(async () => {
  example = await startEmbedded('fastify');
});

async function enter(wish: object): Promise<Client> {
  const client = await openWebSocket((await example.desk.issue(wish)).connect_url);
  await until(() => client.messages.length === 1);
  return client;
}

test('a route greets by name, and answers', async () => {
  const client = await enter({ path: '/rooms/7', claims: { name: 'Ada Lovelace' } });
  client.socket.send('good morning');
  await until(() => client.messages.length === 2);

  expect(client.messages).toEqual(['Hello, Ada Lovelace. This is 7.', 'good morning']);
});

test('no connection opens without a ticket, or in another room', async () => {
  const { ticket } = await example.desk.issue({ path: '/rooms/7' });
  const rooms = `ws://localhost:${example.port}/rooms`;

  await expect(openWebSocket(`${rooms}/7`)).rejects.toMatchObject({ status: 401, code: 'ticket_missing' });
  await expect(openWebSocket(`${rooms}/8?ticket=${ticket}`)).rejects.toMatchObject({
    status: 403,
    code: 'path_refused',
  });
});

test('a path without a route gets the 404 of Fastify, and is on the record', async () => {
  const { id, connect_url: url } = await example.desk.issue({ path: '/elsewhere' });

  await expect(openWebSocket(url)).rejects.toMatchObject({ status: 404 });
  await until(async () => (await example.desk.record(id)).state === 'closed');
  expect(await example.desk.record(id)).toMatchObject({ close: { code: 1006, reason: 'upstream_refused' } });
});

test('plain requests are answered by the application', async () => {
  expect(await (await fetch(`http://localhost:${example.port}/`)).text()).toContain('A WebSocket is at');
});

// The last test: it ends the example.
test('it closes every connection, and ends', async () => {
  const client = await enter({ path: '/rooms/7' });
  example.server.child.kill('SIGTERM');

  expect(await client.closed).toEqual({ code: 1012, reason: 'draining;spread_seconds=0' });
  expect(await example.server.exited).toBe(0);
  expect(example.server.stderr()).toBe('');
});
