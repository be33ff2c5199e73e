import { beforeAll, expect, test } from 'vitest';
import { until } from '../support/machine/wait.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';
import { type EmbeddedExample, startEmbedded } from './embedded.ts';

let example: EmbeddedExample;
beforeAll(async () => {
  example = await startEmbedded('graphql-ws');
});

test('its client asks who it is, and subscribes', async () => {
  expect(await example.runClient()).toBe('me: ada\n2\n1\n0\n');
});

test('the subprotocol of graphql-ws is chosen, not that of the ticket', async () => {
  const { url, protocols } = await example.desk.issue({ claims: { name: 'Ada Lovelace' } });
  const client = await openWebSocket(`${url}/graphql`, { protocols: [...protocols, 'graphql-transport-ws'] });
  client.socket.send('{"type":"connection_init"}');
  // graphql-ws closes a client that subscribes before the acknowledgement.
  await until(() => client.messages.length === 1);
  client.socket.send('{"id":"1","type":"subscribe","payload":{"query":"{ me }"}}');
  await until(() => client.messages.length === 3);

  expect(client.socket.protocol).toBe('graphql-transport-ws');
  expect(JSON.parse(String(client.messages[1]))).toMatchObject({ payload: { data: { me: 'Ada Lovelace' } } });
});

test('no connection opens without a ticket', async () => {
  const opening = openWebSocket(`ws://localhost:${example.port}/graphql`, { protocols: ['graphql-transport-ws'] });

  await expect(opening).rejects.toMatchObject({ status: 401, code: 'ticket_missing' });
});

// The last test: it ends the example.
test('it closes every connection, and ends', async () => {
  const { url, protocols } = await example.desk.issue();
  const client = await openWebSocket(url, { protocols: [...protocols, 'graphql-transport-ws'] });
  client.socket.send('{"type":"connection_init"}');
  await until(() => client.messages.length === 1);
  example.server.child.kill('SIGTERM');

  expect(await client.closed).toEqual({ code: 1012, reason: 'draining;spread_seconds=0' });
  expect(await example.server.exited).toBe(0);
  expect(example.server.stderr()).toBe('');
});
