// http-proxy-3, the maintained successor of http-proxy, after its README.
import { createServer } from 'node:http';
import httpProxy from 'http-proxy-3';

const [upstreamPort] = process.argv.slice(2);
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${upstreamPort}`, ws: true });
const server = createServer();

proxy.on('error', (_error, _request, socket) => socket.destroy?.());
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head));

server.listen(0, '127.0.0.1', () => process.stdout.write(`ready ${server.address().port}\n`));
process.once('SIGTERM', () => process.exit(0));
