/**
 * Colyseus: the handshake takes a seat that was reserved before. `POST /?count=3` on a second port reserves seats, for
 * which clients would ask the matchmaker one by one; that is not measured. `GET /` returns how many were taken.
 */
import { createServer } from 'node:http';
import { matchMaker, Room, Server } from '@colyseus/core';
import { WebSocketTransport } from '@colyseus/ws-transport';

let joined = 0;

class Echo extends Room {
  autoDispose = false;
  seatReservationTimeout = 120;

  onCreate() {
    this.onMessage('*', (client, type, message) => client.send(type, message));
  }

  onJoin() {
    joined += 1;
  }
}

const server = createServer();
const game = new Server({ transport: new WebSocketTransport({ server }), greet: false });
game.define('echo', Echo);
await game.listen(0, '127.0.0.1');

const reserving = createServer(async (request, response) => {
  if (request.method === 'GET') return response.end(String(joined));
  const count = Number(new URL(request.url, 'http://localhost').searchParams.get('count'));
  const seats = [];
  for (let seat = 0; seat < count; seat += 1) seats.push(await matchMaker.joinOrCreate('echo', {}));
  response.end(JSON.stringify(seats));
});
reserving.listen(0, '127.0.0.1', () => {
  console.log(`seats ${reserving.address().port}`);
  console.log(`ready ${server.address().port}`);
});
