// A relay as one would write it with `ws`: a server, a client for each connection, messages passed on one by one.
import { createServer } from 'node:http';
import WebSocket, { WebSocketServer } from 'ws';

const [upstreamPort] = process.argv.slice(2);
const sockets = new WebSocketServer({ noServer: true });
const server = createServer();

server.on('upgrade', (request, socket, head) => {
  const upstream = new WebSocket(`ws://127.0.0.1:${upstreamPort}${request.url}`, { perMessageDeflate: false });
  upstream.once('error', () => socket.destroy());
  upstream.once('open', () => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('message', (data, binary) => upstream.send(data, { binary }));
      upstream.on('message', (data, binary) => client.send(data, { binary }));
      client.on('close', () => upstream.close());
      upstream.on('close', () => client.close());
      client.on('error', () => upstream.terminate());
    });
  });
});

server.listen(0, '127.0.0.1', () => process.stdout.write(`ready ${server.address().port}\n`));
process.once('SIGTERM', () => process.exit(0));
