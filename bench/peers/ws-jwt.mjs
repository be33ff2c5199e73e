/**
 * `ws` behind a JWT in the query, checked by jose. KEY is a JWK, ALGORITHM its algorithm.
 */
import { createServer } from 'node:http';
import { importJWK, jwtVerify } from 'jose';
import { WebSocketServer } from 'ws';

const { KEY, ALGORITHM } = process.env;
const key = await importJWK(JSON.parse(KEY), ALGORITHM);

const server = createServer((_, response) => response.writeHead(426).end());
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.on('upgrade', async (request, socket, head) => {
  try {
    const token = new URL(request.url, 'http://localhost').searchParams.get('token') ?? '';
    const { payload } = await jwtVerify(token, key, { algorithms: [ALGORITHM] });
    request.subject = payload.sub;
  } catch {
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request));
});

server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
