/**
 * Bare `ws`: an echo without authentication.
 *
 *   node ws.mjs [--batched]   with --batched, upgrades are gathered for a millisecond and handled together
 */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const BATCH_MS = 1;
const batched = process.argv.includes('--batched');

const server = createServer((_, response) => response.writeHead(426).end());
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

const open = (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request));

let waiting = [];
function openWaiting() {
  const upgrades = waiting;
  waiting = [];
  for (const upgrade of upgrades) open(...upgrade);
}

server.on('upgrade', (request, socket, head) => {
  if (!batched) return open(request, socket, head);
  if (waiting.length === 0) setTimeout(openWaiting, BATCH_MS);
  waiting.push([request, socket, head]);
});

server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
