import { pino } from 'pino';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createStore } from '../../shared/store/create-store.ts';
import { bearer } from '../support/logins/bearer.ts';
import { runGateway, runTicketService, settingsOf } from '../support/services/in-process.ts';
import { codeBlocks, readText } from './pages.ts';

type Connect = (path: string, authorization: string) => Promise<WebSocket>;

/**
 * The function of docs/protocol.md, in a page of `origin` whose site has the ticket service.
 *
 * @param requests how many requests succeed before the network is down
 */
function connectByHand(site: string, origin: string, requests = Number.POSITIVE_INFINITY): Connect {
  let left = requests;
  const [code = ''] = codeBlocks(readText('docs/protocol.md'), 'js');
  const fetchOfPage = async (path: string, init: RequestInit): Promise<Response> => {
    left -= 1;
    if (left < 0) throw new TypeError('the network is gone');
    return fetch(new URL(path, site), { ...init, headers: { ...init.headers, Origin: origin } });
  };
  class WebSocketOfPage extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { origin });
      this.on('error', () => {}); // a browser does not throw an unhandled error either
    }
  }
  const make = new Function('fetch', 'WebSocket', `${code}; return connect;`);
  return make(fetchOfPage, WebSocketOfPage) as Connect; // the code block defines it
}

/** Starts a ticket service and a gateway on one store. Resolves with the address of the ticket service. */
async function startSite(): Promise<string> {
  const store = createStore(await settingsOf({}), pino({ level: 'silent' }));
  const gateway = await runGateway({ GATEWAY_ID: 'g1' }, { store });
  const tickets = await runTicketService({ GATEWAY_URL: `ws://127.0.0.1:${gateway.port}` }, { store });
  return `http://127.0.0.1:${tickets.port}`;
}

test('the browser code of the protocol opens a WebSocket', async () => {
  const site = await startSite();
  const socket = await connectByHand(site, site)('/room/7', await bearer('ada'));
  expect(socket.readyState).toBe(WebSocket.OPEN);
  expect(socket.protocol).toBe('oncegate.v1');
  socket.terminate();
});

test('the browser code of the protocol rejects with the reason why a handshake was refused', async () => {
  const site = await startSite();
  const connect = connectByHand(site, 'https://evil.example');
  await expect(connect('/', await bearer('ada'))).rejects.toThrow('origin_refused');
});

test('the browser code of the protocol rejects when no gateway was reached', async () => {
  const store = createStore(await settingsOf({}), pino({ level: 'silent' }));
  const tickets = await runTicketService({ GATEWAY_URL: 'ws://127.0.0.1:1' }, { store });
  const site = `http://127.0.0.1:${tickets.port}`;
  await expect(connectByHand(site, site)('/', await bearer('ada'))).rejects.toThrow('not_seen');
});

test('the browser code of the protocol rejects when it cannot ask why', async () => {
  const store = createStore(await settingsOf({}), pino({ level: 'silent' }));
  const tickets = await runTicketService({ GATEWAY_URL: 'ws://127.0.0.1:1' }, { store });
  const site = `http://127.0.0.1:${tickets.port}`;
  const refused = connectByHand(site, site, 1)('/', await bearer('ada'));
  await expect(refused).rejects.toThrow('the network is gone');
});

test('the browser code of the protocol rejects with the code of the ticket service', async () => {
  const site = await startSite();
  await expect(connectByHand(site, site)('/', 'Bearer none')).rejects.toThrow('credentials_invalid');
});
