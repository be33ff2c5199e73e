/**
 * Socket.IO with an authentication middleware that spends a token in Redis, after its documentation.
 */
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const redis = new Redis(process.env.REDIS_URL);
const server = createServer();
const io = new Server(server, { transports: ['websocket'], serveClient: false });

io.use(async (socket, next) => {
  const subject = await redis.getdel(`token:${socket.handshake.auth.token}`);
  if (subject === null) return next(new Error('unauthorized'));
  socket.data.subject = subject;
  next();
});
io.on('connection', (socket) => {
  socket.on('message', (data) => socket.emit('message', data));
});

redis.once('ready', () => server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`)));
