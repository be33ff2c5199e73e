import { createServer } from 'node:http';
import { admitUpgrade } from 'oncegate/gateway';
import { WebSocket, WebSocketServer } from 'ws';

const { PORT = '3000' } = process.env;

const server = createServer((_request, response) => response.end('A WebSocket is here.\n'));
const wss = new WebSocketServer({ noServer: true, maxPayload: 65_536 });

// This is all. A refused client has been answered; for an admitted one `request.oncegate` says who it is.
const admit = admitUpgrade();
server.on('upgrade', async (request, socket, head) => {
  if (await admit(request, socket, head)) {
    wss.handleUpgrade(request, socket, head, (client) => wss.emit('connection', client, request));
  }
});

wss.on('connection', (client, { oncegate: { subject, clientClaims } }) => {
  // A name that the client chose: nobody vouches for it.
  const name = clientClaims.name ?? subject;
  client.on('error', () => {}); // 'close' follows
  client.on('message', (text) => say(`${name}: ${text}`));
  say(`${name} is here`);
});

function say(line) {
  for (const client of wss.clients) if (client.readyState === WebSocket.OPEN) client.send(line);
}

server.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`ws://localhost:${server.address().port}\n`);
});
process.once('SIGTERM', async () => {
  await admit.close(); // refuses new upgrades with 503, closes open connections with 1012
  server.close();
  server.closeAllConnections();
});
