/**
 * Refuses every upgrade, in one of two ways:
 *
 *   node refuse.mjs        an ordinary 401 of node:http, with a small problem body
 *   node refuse.mjs --ws   the abort of `ws`: verifyClient returns false
 */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const BODY = JSON.stringify({
  type: 'about:blank',
  title: 'No ticket was presented',
  status: 401,
  detail: 'Ask for a ticket, and connect with it.',
});
const HEADERS = {
  'Content-Type': 'application/problem+json',
  'Content-Length': Buffer.byteLength(BODY),
  'Cache-Control': 'no-store',
  'WWW-Authenticate': 'Ticket realm="bench"',
  Connection: 'close',
};

// Without a listener for 'upgrade', Node handles an upgrade as an ordinary request.
const server = createServer((_, response) => response.writeHead(401, HEADERS).end(BODY));
if (process.argv.includes('--ws')) new WebSocketServer({ server, verifyClient: () => false });

server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
