import { beforeAll, expect, test } from 'vitest';
import { until } from '../support/machine/wait.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';
import { modesHere } from './modes.ts';
import { type Site, startSite } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite();
});

test.each(modesHere)('$name stops on its signal while a client is connected', async (mode) => {
  const proxy = site.proxyOf(mode);
  const { ticket } = await site.issue({}, 'ada');
  const client = await openWebSocket(`ws://127.0.0.1:${proxy.port}/?ticket=${ticket}`);
  await until(() => client.messages.length > 0);
  expect(client.messages).toEqual(['hello, ada']);

  // HAProxy ends by the signal itself. No proxy must be killed.
  expect([0, 'SIGTERM']).toContain(await proxy.terminate());
  await client.closed;
});
