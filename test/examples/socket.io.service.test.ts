import { io, type Socket } from 'socket.io-client';
import { beforeAll, expect, test } from 'vitest';
import { atEnd } from '../support/machine/teardown.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';
import { type EmbeddedExample, startEmbedded } from './embedded.ts';

let example: EmbeddedExample;
beforeAll(async () => {
  example = await startEmbedded('socket.io');
});

function socketFor(protocols: readonly string[], options: object = {}): Socket {
  const socket = io(`ws://localhost:${example.port}`, {
    transports: ['websocket'],
    protocols: [...protocols],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  atEnd(async () => void socket.disconnect());
  return socket;
}

const first = (socket: Socket, event: string): Promise<unknown> =>
  new Promise((resolve) => void socket.once(event, resolve));

test('its client connects, is greeted, and is told why it may not connect again', async () => {
  expect(await example.runClient()).toBe('Hello, ada\nada: good morning\nthe same ticket again: ticket_consumed\n');
});

test('the refusal is a 401 instead of the 101', async () => {
  const url = `ws://localhost:${example.port}/socket.io/?EIO=4&transport=websocket`;
  await expect(openWebSocket(url)).rejects.toMatchObject({ status: 401, code: 'ticket_missing' });

  const refused = await first(socketFor([]), 'connect_error');
  expect(refused).toMatchObject({ description: { message: 'Unexpected server response: 401' } });
});

test('a ticket may also be in the path and in the query', async () => {
  const { id, ticket } = await example.desk.issue({ claims: { name: 'Ada Lovelace' } });
  const socket = socketFor([], { path: `/~${id}/socket.io`, query: { ticket } });

  expect(await first(socket, 'greeting')).toBe('Hello, Ada Lovelace');
});

test('polling needs a ticket too', async () => {
  const response = await fetch(`http://localhost:${example.port}/socket.io/?EIO=4&transport=polling`);

  expect([response.status, await response.json()]).toMatchObject([400, { message: 'Transport unknown' }]);
  const refused = await first(socketFor([], { transports: ['polling'] }), 'connect_error');
  expect(refused).toBeInstanceOf(Error);
});

test('a revoked client is disconnected, and the record says why', async () => {
  const { id, protocols } = await example.desk.issue();
  const socket = socketFor(protocols);
  await first(socket, 'greeting');
  const gone = first(socket, 'disconnect');
  await example.desk.revoke(id);

  expect(await gone).toBe('transport close');
  expect(await example.desk.record(id)).toMatchObject({ state: 'revoked', close: { code: 3003, reason: 'revoked' } });
});

// The last test: it ends the example.
test('it disconnects every client, and ends', async () => {
  const { protocols } = await example.desk.issue();
  const socket = socketFor(protocols);
  await first(socket, 'greeting');
  const gone = first(socket, 'disconnect');
  example.server.child.kill('SIGTERM');

  expect(await gone).toBe('transport close');
  expect(await example.server.exited).toBe(0);
  expect(example.server.stderr()).toBe('');
});
