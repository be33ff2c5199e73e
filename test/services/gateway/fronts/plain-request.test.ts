import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeEach, expect, test } from 'vitest';
import { admitUpgrade, type UpgradeGate } from '../../../../services/gateway/fronts/embed.ts';
import { listen } from '../../../support/machine/listen.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { exchange } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';

let admit: UpgradeGate<unknown>;

beforeEach(() => {
  admit = admitUpgrade({ settings: { LOG_LEVEL: 'silent', DRAIN_SECONDS: '0' } });
  atEnd(() => admit.close());
});

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url, headers } = request;
  response.setHeader('Content-Type', 'application/json');
  response.end(
    JSON.stringify({ method, url, upgrade: headers.upgrade, cookie: headers.cookie, body: await text(request) }),
  );
}

async function serve(server: Server): Promise<number> {
  server.on('upgrade', async (request, socket, head) => {
    if ((await admit(request, socket, head)) === null && !socket.destroyed) socket.write('written after null');
  });
  return listen(server);
}

const asking = (upgrade: string, request = 'GET /page?a=%20b', fields = '', body = ''): string =>
  `${request} HTTP/1.1\r\nHost: app.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${upgrade}\r\n${fields}\r\n${body}`;

const page = { method: 'GET', url: '/page?a=%20b', body: '' };

test.each([
  ['h2c', asking('h2c', 'GET /page?a=%20b', 'HTTP2-Settings: AAMAAABkAAQAAP__\r\n'), page],
  ['several', asking('h2c, TLS/1.0'), page],
  ['TLS', asking('TLS/1.0', 'OPTIONS *'), { method: 'OPTIONS', url: '*', body: '' }],
  ['something that only sounds like it', asking('websockets'), page],
  [
    'h2c, with cookies',
    asking('h2c', 'GET /', 'Cookie: a=\xe4\r\ncookie: b=2\r\n'),
    { method: 'GET', url: '/', cookie: 'a=\xe4; b=2', body: '' },
  ],
  [
    'h2c, with a body',
    asking('h2c', 'POST /form', 'Content-Length: 5\r\n', 'a=b&c'),
    { method: 'POST', url: '/form', body: 'a=b&c' },
  ],
  [
    'h2c, with a chunked body',
    asking('h2c', 'POST /form', 'Transfer-Encoding: chunked\r\n', '3\r\na=b\r\n0\r\n\r\n'),
    { method: 'POST', url: '/form', body: 'a=b' },
  ],
])('a request that would also speak another protocol gets its page (%s)', async (_protocol, request, expected) => {
  const answers = await exchange(await serve(createServer(echo)), Buffer.from(request, 'latin1'));

  expect(answers.map(({ status }) => status)).toEqual([200]);
  expect(JSON.parse(answers[0]?.body ?? '')).toEqual(expected);
});

test.each(['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13'])(
  'a request that would also speak %s is the gate’s to answer',
  async (upgrade) => {
    const [answer] = await exchange(await serve(createServer(echo)), asking(upgrade));
    expect(answer?.status).toBeGreaterThanOrEqual(400);
  },
);

test('where the application has no pages, a request for another protocol is refused with 426', async () => {
  const answers = await exchange(await serve(createServer()), upgradeRequest({ headers: { Upgrade: 'h2c' } }));
  expect(answers.map(({ status }) => status)).toEqual([426]);
});

test('what an application writes without await closes the connection here too', async () => {
  const server = createServer(echo);
  server.on('upgrade', (request, socket, head) => {
    admit(request, socket, head);
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });
  expect(await exchange(await listen(server), asking('h2c'))).toEqual([]);
});
