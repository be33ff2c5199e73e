import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { IssueRequest } from '../../../../shared/store/store.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { type Environment, runGateway, storeTicket } from '../../../support/services/in-process.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';
import { startBackEnd } from '../../../support/sockets/ws-back-end.ts';
import { startRawUpstream, switching } from '../upstream/stage.ts';

/** A row of the routes file; it leads to a back end that answers, unless it says otherwise. */
type Row = Readonly<Record<string, unknown>> & { readonly path: string };

const routesFile = (rows: readonly Row[], upstream: string): string =>
  JSON.stringify({ routes: rows.map((row) => ({ upstream, ...row })) });

/** A gateway with these routes, and the settings that hold for what a route does not say. */
async function setRoutes(rows: readonly Row[], env: Environment = {}) {
  const upstream = `ws://127.0.0.1:${(await startBackEnd()).port}`;
  const file = temporaryFile(routesFile(rows, upstream));
  const gateway = await runGateway({ ROUTES_FILE: file, ...env });
  const open = async (path: string, fields: Partial<IssueRequest> = {}, headers: Record<string, string> = {}) => {
    const { id, value } = await storeTicket(gateway.store, fields);
    const client = await openWebSocket(`ws://127.0.0.1:${gateway.port}${path}?ticket=${value}`, { headers });
    return { ...client, id };
  };
  return {
    gateway,
    open,
    reload(changed: readonly Row[]) {
      writeFileSync(file, routesFile(changed, upstream));
      process.emit('SIGHUP');
    },
  };
}

describe('a route has, in place of what holds for the others,', () => {
  test('its own audience', async () => {
    const rows = [{ path: '/' }, { path: '/news', audience: 'news' }];
    const { open } = await setRoutes(rows, { GATEWAY_AUDIENCE: 'chat' });

    await open('/', { audience: 'chat' });
    await open('/news', { audience: 'news' });
    await expect(open('/news', { audience: 'chat' })).rejects.toMatchObject({ status: 403, code: 'audience_refused' });
    await expect(open('/', { audience: 'news' })).rejects.toMatchObject({ status: 403, code: 'audience_refused' });
  });

  test('its own origins', async () => {
    const rows = [{ path: '/' }, { path: '/console', allowed_origins: ['https://console.example'] }];
    const { open } = await setRoutes(rows, { ALLOWED_ORIGINS: 'https://app.example' });
    const from = (origin: string, path: string) => open(path, {}, { Origin: origin });

    await from('https://app.example', '/');
    await from('https://console.example', '/console');
    const refused = { status: 403, code: 'origin_refused' };
    await expect(from('https://app.example', '/console')).rejects.toMatchObject(refused);
    await expect(from('https://console.example', '/')).rejects.toMatchObject(refused);
  });

  test.each([
    ['a name', { host: 'internal.example:8443' }, 'internal.example:8443'],
    ['preserve', { host: 'preserve' }, 'chat.example'],
    ['nothing', {}, 'chat.example'],
  ])('its own Host for the back end: %s', async (_, field, host) => {
    let asked = '';
    const { port } = await startRawUpstream((socket, accept, head) => {
      asked = head;
      socket.write(switching(accept));
    });
    const { open } = await setRoutes([{ path: '/', upstream: `ws://127.0.0.1:${port}`, ...field }]);

    await open('/', {}, { Host: 'chat.example' });

    expect(asked.split('\r\n').filter((line) => /host: /i.test(line))).toEqual([
      `Host: ${host}`,
      'X-Forwarded-Host: chat.example',
    ]);
  });

  test('its own limit of a message', async () => {
    const rows = [{ path: '/' }, { path: '/telemetry', max_message_bytes: 10 }];
    const { open } = await setRoutes(rows, { MAX_MESSAGE_BYTES: '100' });
    const [long, short] = [await open('/'), await open('/telemetry')];
    for (const { socket } of [long, short]) socket.send('x'.repeat(11));

    expect(await short.closed).toEqual({ code: 1009, reason: 'message_too_big' });
    await until(() => long.messages.length === 1);
  });

  test("its own limit of a subject's connections", async () => {
    const rows = [{ path: '/' }, { path: '/single', max_connections_per_subject: 1 }];
    const { open } = await setRoutes(rows, { MAX_CONNECTIONS_PER_SUBJECT: '2' });
    await open('/', { subject: 'ada' });

    await expect(open('/single', { subject: 'ada' })).rejects.toMatchObject({ status: 429, code: 'connection_limit' });
    await open('/single', { subject: 'grace' });
    await open('/', { subject: 'ada' });
  });

  test('its own time until the back end is idle', async () => {
    const rows = [{ path: '/' }, { path: '/brisk', idle_seconds: 1 }];
    const { gateway, open } = await setRoutes(rows);
    const [calm, brisk] = [await open('/'), await open('/brisk')];

    expect(await brisk.closed).toEqual({ code: 1013, reason: 'upstream_lost' });
    expect((await gateway.store.read(calm.id))?.state).toBe('open');
  });

  /** Refuses on the route that says how long, and on the other one still waits by then. */
  async function expectTimeout(setting: string, upstream: string, env: Environment) {
    const rows = [
      { path: '/', upstream },
      { path: '/brisk', upstream, [setting]: 50 },
    ];
    const { gateway, open } = await setRoutes(rows, env);
    const { value: ticket } = await storeTicket(gateway.store);
    const patient = await RawClient.send(gateway.port, upgradeRequest({ ticket }));

    await expect(open('/brisk')).rejects.toMatchObject({ status: 504, code: 'upstream_timeout' });
    expect(patient.received).toHaveLength(0);
    await patient.destroy();
  }

  test('its own time to connect, TLS included', async () => {
    const { port } = await startRawUpstream(() => {});

    await expectTimeout('connect_timeout_ms', `wss://127.0.0.1:${port}`, { UPSTREAM_CONNECT_TIMEOUT_MS: '60000' });
  });

  test('its own time to answer', async () => {
    const { port } = await startRawUpstream(() => {});

    await expectTimeout('handshake_timeout_ms', `ws://127.0.0.1:${port}`, { UPSTREAM_HANDSHAKE_TIMEOUT_MS: '60000' });
  });
});

test('SIGHUP changes what a route asks for from then on, and no connection that is open', async () => {
  const { gateway, open, reload } = await setRoutes([{ path: '/' }, { path: '/news', audience: 'news' }]);
  const before = await open('/news', { audience: 'news' });
  reload([{ path: '/' }, { path: '/news', audience: 'press' }]);

  await expect(open('/news', { audience: 'news' })).rejects.toMatchObject({ code: 'audience_refused' });
  await open('/news', { audience: 'press' });
  before.socket.send('still here');
  await until(() => before.messages.length === 1);
  expect(gateway.log.filter(({ event }) => event === 'file_loaded')).toHaveLength(1);
});
