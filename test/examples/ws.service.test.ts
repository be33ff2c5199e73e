import { beforeAll, expect, test } from 'vitest';
import { until } from '../support/machine/wait.ts';
import { type Client, openWebSocket } from '../support/sockets/web-socket.ts';
import { type EmbeddedExample, startEmbedded } from './embedded.ts';

let example: EmbeddedExample;
beforeAll(async () => {
  example = await startEmbedded('ws');
});

async function enter(claims: object): Promise<{ client: Client; id: string; url: string }> {
  const { id, connect_url: url } = await example.desk.issue({ claims });
  return { id, url, client: await openWebSocket(url) };
}

test('users with a ticket talk to each other by name', async () => {
  const ada = await enter({});
  const bob = await enter({ name: 'Bob' });
  ada.client.socket.send('good morning');
  bob.client.socket.send('hello');
  await until(() => ada.client.messages.length === 4 && bob.client.messages.length === 3);

  expect(ada.client.messages.slice(0, 2)).toEqual(['ada is here', 'Bob is here']);
  expect([...bob.client.messages].sort()).toEqual(['Bob is here', 'Bob: hello', 'ada: good morning'].sort());
});

test('no connection opens without a ticket, or with the same ticket twice', async () => {
  const { url, id } = await enter({});

  await expect(openWebSocket(url)).rejects.toMatchObject({ status: 401, code: 'ticket_consumed' });
  await expect(openWebSocket(`ws://localhost:${example.port}`)).rejects.toMatchObject({ code: 'ticket_missing' });
  expect(await example.desk.record(id)).toMatchObject({ state: 'open', attempts: 2 });
});

test('a revoked connection is told so, and can send no more', async () => {
  const { client, id } = await enter({});
  await example.desk.revoke(id);

  expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
});

test('plain requests are answered by the application', async () => {
  expect(await (await fetch(`http://localhost:${example.port}/`)).text()).toBe('A WebSocket is here.\n');
});

// The last test: it ends the example.
test('it closes every connection, and ends', async () => {
  const { client } = await enter({});
  example.server.child.kill('SIGTERM');

  expect(await client.closed).toEqual({ code: 1012, reason: 'draining;spread_seconds=0' });
  expect(await example.server.exited).toBe(0);
  expect(example.server.stderr()).toBe('');
});
