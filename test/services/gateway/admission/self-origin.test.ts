import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { gatewayRules } from '../../../../services/gateway/rules.ts';
import { loadSettings } from '../../../../shared/settings/load.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { type Environment, runGateway, storeTicket } from '../../../support/services/in-process.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';
import { startBackEnd } from '../../../support/sockets/ws-back-end.ts';

const LISTED = 'https://app.example';
const refused = { status: 403, code: 'origin_refused' };

async function gatewayWith(env: Environment) {
  const gateway = await runGateway({ ALLOWED_ORIGINS: `${LISTED},self`, ALLOWED_HOSTS: 'chat.example', ...env });
  const open = async (headers: Record<string, string>, path = '/') => {
    const { value } = await storeTicket(gateway.store);
    return openWebSocket(`ws://127.0.0.1:${gateway.port}${path}?ticket=${value}`, { headers });
  };
  return { gateway, open };
}

describe('with the word self', () => {
  test.each([
    { Origin: LISTED },
    { Origin: 'http://chat.example' },
    { Origin: 'https://chat.example:443' },
    { Origin: 'http://Chat.Example:80' },
  ])('%j opens', async (headers) => {
    await (await gatewayWith({})).open({ Host: 'chat.example', ...headers });
  });

  test.each([
    [{ Origin: 'http://evil.example' }, refused],
    [{ Origin: 'http://chat.example:8081' }, refused],
    [{ Origin: 'null' }, refused],
    [
      { Host: 'evil.example', Origin: 'http://evil.example' },
      { status: 400, code: 'handshake_malformed' },
    ],
  ])('%j does not', async (headers, refusal) => {
    const { open } = await gatewayWith({});

    await expect(open({ Host: 'chat.example', ...headers })).rejects.toMatchObject(refusal);
  });

  test('host and scheme are those that a trusted proxy tells', async () => {
    const { open } = await gatewayWith({ TRUST_PROXY: '127.0.0.1' });
    const proxied = { Host: 'inner', 'X-Forwarded-Host': 'chat.example', 'X-Forwarded-Proto': 'https' };

    await open({ ...proxied, Origin: 'https://chat.example' });
    await expect(open({ ...proxied, Origin: 'http://chat.example' })).rejects.toMatchObject(refused);
    await expect(open({ ...proxied, Origin: 'https://inner' })).rejects.toMatchObject(refused);
  });
});

test('the log says of a refusal whether the word self would allow it', async () => {
  const { gateway, open } = await gatewayWith({ ALLOWED_ORIGINS: LISTED });
  for (const origin of ['https://chat.example', 'https://evil.example']) {
    await expect(open({ Host: 'chat.example', Origin: origin })).rejects.toMatchObject(refused);
  }
  const reasons = gateway.log.filter(({ event }) => event === 'refusal').map(({ reason }) => reason);

  expect(reasons).toEqual([expect.stringMatching(/\bself\b/), undefined]);
});

describe('a route', () => {
  test('has patterns and the word for itself', async () => {
    const upstream = `ws://127.0.0.1:${(await startBackEnd()).port}`;
    const rows = [
      { path: '/', upstream },
      { path: '/native', upstream, allowed_origins: ['self'] },
      { path: '/tenants', upstream, allowed_origins: ['https://*.example.org'] },
    ];
    const ROUTES_FILE = temporaryFile(JSON.stringify({ routes: rows }));
    const { open } = await gatewayWith({ ROUTES_FILE, ALLOWED_ORIGINS: LISTED });
    const opens = (path: string, origin: string) => open({ Host: 'chat.example', Origin: origin }, path);

    await opens('/native', 'https://chat.example');
    await expect(opens('/', 'https://chat.example')).rejects.toMatchObject(refused);
    await opens('/tenants', 'https://a.example.org');
    await expect(opens('/tenants', 'https://a.b.example.org')).rejects.toMatchObject(refused);
  });

  test('with the word is not taken up while ALLOWED_HOSTS is not set', async () => {
    const upstream = `ws://127.0.0.1:${(await startBackEnd()).port}`;
    const routes = (more: object) => JSON.stringify({ routes: [{ path: '/', upstream, ...more }] });
    const file = temporaryFile(routes({ allowed_origins: [LISTED] }));
    const { gateway, open } = await gatewayWith({ ROUTES_FILE: file, ALLOWED_ORIGINS: LISTED, ALLOWED_HOSTS: '' });
    writeFileSync(file, routes({ allowed_origins: ['self'] }));
    process.emit('SIGHUP');
    await until(() => gateway.log.some(({ level }) => level === 'error'), { what: 'the file is refused' });

    await open({ Host: 'evil.example', Origin: LISTED });
    await expect(open({ Host: 'evil.example', Origin: 'http://evil.example' })).rejects.toMatchObject(refused);
  });
});

describe('without ALLOWED_HOSTS, by which any site could be self, the word is a fault', () => {
  const faultsOf = (env: Environment) => {
    const loaded = loadSettings(env, gatewayRules);
    return loaded.ok ? [] : loaded.faults;
  };
  const routes = [{ path: '/', upstream: 'ws://127.0.0.1:9', allowed_origins: ['self'] }];

  test.each([
    ['in ALLOWED_ORIGINS', () => ({ ALLOWED_ORIGINS: `self,${LISTED}` })],
    ['in a routes file', () => ({ ROUTES_FILE: temporaryFile(JSON.stringify({ routes })) })],
  ])('%s', (_where, env) => {
    expect(faultsOf(env())).toEqual([expect.stringContaining('ALLOWED_HOSTS')]);
    expect(faultsOf({ ...env(), ALLOWED_HOSTS: 'chat.example' })).toEqual([]);
  });
});
