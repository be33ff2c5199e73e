import { EventEmitter } from 'node:events';
import websocket from '@fastify/websocket';
import fastify from 'fastify';
import { admitUpgrade } from 'oncegate/gateway';

const { PORT = '3000' } = process.env;

const app = fastify({ forceCloseConnections: true });

// The plugin listens for upgrades on this server, and gets only those that were admitted.
const admitted = new EventEmitter();
await app.register(websocket, { options: { server: admitted, maxPayload: 65_536 } });

const admit = admitUpgrade();
app.server.on('upgrade', async (request, socket, head) => {
  if (await admit(request, socket, head)) admitted.emit('upgrade', request, socket, head);
});

app.get('/', () => 'A WebSocket is at /rooms/<name>.\n');
app.get('/rooms/:room', { websocket: true }, (socket, { params: { room }, raw: { oncegate } }) => {
  socket.send(`Hello, ${oncegate.clientClaims.name ?? oncegate.subject}. This is ${room}.`);
  socket.on('message', (text) => socket.send(String(text)));
});

await app.listen({ port: Number(PORT), host: '127.0.0.1' });
process.stdout.write(`ws://localhost:${app.server.address().port}\n`);
process.once('SIGTERM', async () => {
  await admit.close(); // refuses new upgrades with 503, closes open connections with 1012
  await app.close();
});
