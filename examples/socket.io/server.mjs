import { createServer } from 'node:http';
import { admitUpgrade } from 'oncegate/gateway';
import { Server } from 'socket.io';

const { PORT = '3000' } = process.env;

const server = createServer();
// Polling needs no upgrade, so it would get past Oncegate.
const io = new Server(server, { transports: ['websocket'] });

// Socket.IO has its own listener for upgrades, which would answer 101 before Oncegate has decided.
server.removeAllListeners('upgrade');
const admit = admitUpgrade();
server.on('upgrade', async (request, socket, head) => {
  if (await admit(request, socket, head)) io.engine.handleUpgrade(request, socket, head);
});

io.on('connection', (socket) => {
  const { subject, clientClaims } = socket.request.oncegate;
  socket.join(`subject:${subject}`);
  socket.emit('greeting', `Hello, ${clientClaims.name ?? subject}`);
  socket.on('say', (text) => io.emit('said', { by: subject, text }));
});

server.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`ws://localhost:${server.address().port}\n`);
});
process.once('SIGTERM', async () => {
  await admit.close(); // refuses new upgrades with 503, closes open connections with 1012
  await io.close();
});
