import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { startRedis } from '../support/redis/redis.ts';
import { type Command, oncegate, startCommand } from '../support/services/command-line.ts';
import { type ServiceProcess, startService } from '../support/services/services.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';
import { startTicketDesk, type TicketDesk } from './embedded.ts';

const root = join(import.meta.dirname, '..', '..');

/** The Python that Debian's packages are for. */
const PYTHON = '/usr/bin/python3';

/** Runs the example with connections as `websockets` 14 and later pass them: Debian has an earlier version. */
const LATER_WEBSOCKETS = `
import runpy, types, websockets

class Connection:
    def __init__(self, earlier):
        self.request = types.SimpleNamespace(headers=earlier.request_headers)
        self.send, self.close, self.earlier = earlier.send, earlier.close, earlier

    def __aiter__(self):
        return self.earlier.__aiter__()

serve = websockets.serve
websockets.serve = lambda handler, *args: serve(lambda earlier: handler(Connection(earlier)), *args)
runpy.run_path("examples/python/server.py")
`;

/** The address that the example prints. */
async function addressOf(backend: Command): Promise<string> {
  const [listening] = (await until(() => /^ws:\S+$/m.exec(backend.stdout()))) ?? [];
  return String(listening);
}

describe.skipIf(isMissing('python3-websockets'))('a Python back end', () => {
  let backend: Command;
  let gateway: ServiceProcess;
  let desk: TicketDesk;
  let address: string;

  beforeAll(async () => {
    backend = startCommand(PYTHON, ['examples/python/server.py'], { cwd: root, env: { PORT: '0' } });
    address = await addressOf(backend);
    const redis = await startRedis();
    const onRedis = { REDIS_URL: redis.url, DRAIN_SECONDS: '0' };
    gateway = await startService('gateway', { ...onRedis, UPSTREAM_URL: address });
    desk = await startTicketDesk(redis.url, `ws://127.0.0.1:${gateway.port}`);
    await until(async () => (await fetch(`http://127.0.0.1:${gateway.adminPort}/readyz`)).ok);
  });

  test('alone can only accept a connection and close it with 1011', async () => {
    const client = await openWebSocket(address);

    expect(await client.closed).toEqual({ code: 1011, reason: 'not signed in' });
    const { stderr } = await oncegate(['connect', address]);
    expect(stderr).toBe('open\nclosed 1011 not signed in\n');
  });

  test('finds the headers in websockets 14 and later too', async () => {
    const later = startCommand(PYTHON, ['-c', LATER_WEBSOCKETS], { cwd: root, env: { PORT: '0' } });
    const headers = { 'Oncegate-Subject': 'jos%C3%A9' };
    const client = await openWebSocket(await addressOf(later), { headers });
    await until(() => client.messages.length === 1);

    expect(client.messages).toEqual(['Hello, josé']);
  });

  test('behind Oncegate: a client is refused by HTTP, before the connection opens', async () => {
    const url = `ws://127.0.0.1:${gateway.port}`;
    await expect(openWebSocket(url)).rejects.toMatchObject({ status: 401, code: 'ticket_missing' });

    const { stderr, code } = await oncegate(['connect', url]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^refused: HTTP 401 Unauthorized\n\{.*"ticket_missing"/)]);
  });

  test('behind Oncegate: greets by the name on the ticket, whatever the client claims', async () => {
    const { connect_url: url, id } = await desk.issue();
    const client = await openWebSocket(url, { headers: { 'Oncegate-Subject': 'eve', oncegate_subject: 'eve' } });
    client.socket.send('good morning');
    await until(() => client.messages.length === 2);

    expect(client.messages).toEqual(['Hello, ada', 'good morning']);
    expect(await desk.record(id)).toMatchObject({ state: 'open', subject: 'ada' });
    await expect(openWebSocket(url)).rejects.toMatchObject({ status: 401, code: 'ticket_consumed' });

    await desk.revoke(id);
    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
  });

  // The last test: it ends the example.
  test('that ends closes its clients with a code, and the next client gets a status', async () => {
    const client = await openWebSocket((await desk.issue()).connect_url);
    await until(() => client.messages.length === 1);
    const { connect_url: url, id } = await desk.issue();
    backend.child.kill('SIGTERM');

    expect(await client.closed).toMatchObject({ code: 1001 });
    expect(await backend.exited).toBe(0);
    await expect(openWebSocket(url)).rejects.toMatchObject({ status: 502, code: 'upstream_unreachable' });
    expect(await desk.record(id)).toMatchObject({
      state: 'refused',
      last_attempt: { outcome: 'upstream_unreachable' },
    });
  });
});
