import { beforeAll, describe, expect, test } from 'vitest';
import { httpRequest } from '../support/http/http-request.ts';
import { bearer } from '../support/logins/bearer.ts';
import { until } from '../support/machine/wait.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';
import { type Mode, modesHere } from './modes.ts';
import { type Site, startSite } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite();
});

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
};

describe.each(modesHere)('$name', (mode: Mode) => {
  const ask = (options: { method?: string; headers: Record<string, string> }) =>
    httpRequest(site.proxyOf(mode).port, '/', options);

  test('names the allowed method in a 405', async () => {
    const { status, lines } = await ask({ method: 'PUT', headers: UPGRADE });

    expect(status).toBe(405);
    expect(lines('Allow')).toEqual(['GET']);
    expect([...lines('Upgrade'), ...lines('Sec-WebSocket-Version')]).toEqual([]);
  });

  test.each([
    ['of another version', { ...UPGRADE, 'Sec-WebSocket-Version': '8' }],
    ['to nothing at all', {}],
  ])('says with a 426 what to upgrade to: a request %s', async (_, headers) => {
    const { status, lines, body } = await ask({ headers });

    expect(status).toBe(426);
    expect(body.code).toBe('upgrade_required');
    // Caddy removes the header from every answer.
    expect(lines('Upgrade')).toEqual(mode.proxy === 'caddy' ? [] : ['websocket']);
    expect(lines('Sec-WebSocket-Version')).toEqual(['13']);
    expect(lines('Allow')).toEqual([]);
  });

  test('takes a request head of nearly 32 KiB, at the ticket service and at a gateway', async () => {
    const port = site.proxyOf(mode).port;
    const Cookie = ['a', 'b', 'c'].map((name) => `${name}=${'x'.repeat(9_900)}`).join('; ');
    const headers = { Authorization: await bearer('ada'), Cookie };
    const issued = await httpRequest(port, '/tickets', { method: 'POST', headers });

    expect(issued.status).toBe(201);
    const client = await openWebSocket(`ws://127.0.0.1:${port}/?ticket=${issued.body.ticket}`, { headers: { Cookie } });
    await until(() => client.messages.length > 0, { what: 'the greeting' });
  });

  test('sends a challenge with a 401, and with no other status', async () => {
    const { status, lines } = await ask({ headers: UPGRADE });

    expect(status).toBe(401);
    expect(lines('WWW-Authenticate')).toEqual([expect.stringContaining('ticket_missing')]);
    expect([...lines('Allow'), ...lines('Upgrade'), ...lines('Retry-After')]).toEqual([]);
  });
});
