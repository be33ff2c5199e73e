import { describe, expect, test } from 'vitest';
import { loadSettings } from '../../../../shared/settings/load.ts';
import { comparableHost } from '../../../../shared/ticket/origin.ts';
import { runGateway, storeTicket } from '../../../support/services/in-process.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';

const ALLOWED_HOSTS = 'Chat.example, chat.example:8443, [::1]:8081';

async function gatewayWith(env: Readonly<Record<string, string>>) {
  const gateway = await runGateway({ ALLOWED_HOSTS, ...env });
  return async (headers: Record<string, string>) => {
    const { value } = await storeTicket(gateway.store);
    return openWebSocket(`ws://127.0.0.1:${gateway.port}/?ticket=${value}`, { headers });
  };
}

const refused = { status: 400, code: 'handshake_malformed' };

describe('ALLOWED_HOSTS', () => {
  test.each([
    ...['chat.example', 'CHAT.example', 'chat.example.', 'chat.example:80', 'chat.example:443', 'chat.example.:80'],
    ...['chat.example:', 'chat.example:8443', 'Chat.Example.:8443', '[::1]:8081'],
  ])('has %s', async (host) => {
    await (await gatewayWith({}))({ Host: host });
  });

  test.each([
    ...['evil.example', 'chat.example:8080', 'xchat.example', 'chat.example.evil.example', 'chat.example..'],
    ...['127.0.0.1', '[::1]', 'chat', 'chat.example,evil.example'],
  ])('has no %s', async (host) => {
    await expect((await gatewayWith({}))({ Host: host })).rejects.toMatchObject(refused);
  });

  test('is compared with what a trusted proxy says, and with nothing that another says', async () => {
    const [trusting, wary] = [await gatewayWith({ TRUST_PROXY: '127.0.0.1' }), await gatewayWith({})];

    await trusting({ Host: 'inner', 'X-Forwarded-Host': 'chat.example' });
    const rebound = { Host: 'chat.example', 'X-Forwarded-Host': 'evil.example' };
    await expect(trusting(rebound)).rejects.toMatchObject(refused);
    await wary(rebound);
    await expect(wary({ Host: 'inner', 'X-Forwarded-Host': 'chat.example' })).rejects.toMatchObject(refused);
  });

  test('is left out for any host', async () => {
    await (await gatewayWith({ ALLOWED_HOSTS: '' }))({ Host: 'whatever.example:1' });
  });

  test.each(['https://chat.example', 'chat.example/path', '*', 'a b', 'chat.example:port'])(
    'cannot have %s',
    (value) => {
      const loaded = loadSettings({ ALLOWED_HOSTS: value }, []);

      expect(loaded.ok ? [] : loaded.faults).toEqual([expect.stringMatching(/^ALLOWED_HOSTS: /)]);
    },
  );
});

test('hosts are compared without letter case, default ports and the last dot', () => {
  expect(['A.example', 'a.EXAMPLE.', 'a.example:80', 'a.example.:443', 'a.example:'].map(comparableHost)).toEqual(
    Array<string>(5).fill('a.example'),
  );
  expect(comparableHost('[::80]')).toBe('[::80]');
});
