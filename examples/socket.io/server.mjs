import { createServer } from 'node:http';
import { admitUpgrade } from 'oncegate/gateway';
import { Server } from 'socket.io';

const { PORT = '3000' } = process.env;

const server = createServer();
// Polling needs no upgrade, so it would be a way past the gate.
const io = new Server(server, { transports: ['websocket'] });

// Socket.IO has put a listener of its own there, which answers with 101 before anybody was asked.
server.removeAllListeners('upgrade');
const admit = admitUpgrade();
server.on('upgrade', async (request, socket, head) => {
  if (await admit(request, socket, head)) io.engine.handleUpgrade(request, socket, head);
});

io.on('connection', (socket) => {
  const { subject, claims } = socket.request.oncegate;
  socket.join(`subject:${subject}`);
  socket.emit('greeting', `Hello, ${claims.name ?? subject}`);
  socket.on('say', (text) => io.emit('said', { by: subject, text }));
});

server.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`ws://localhost:${server.address().port}\n`);
});
process.once('SIGTERM', async () => {
  await admit.close(); // 503 to whoever comes, 1012 to whoever is here
  await io.close();
});
