import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startChromium } from '../support/browsers/chromium.ts';
import { type HttpReply, type HttpRequestOptions, httpRequest } from '../support/http/http-request.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../support/redis/redis.ts';
import { type Command, startCommand } from '../support/services/command-line.ts';
import { type ServiceProcess, startService } from '../support/services/services.ts';
import { openWebSocket, Refused } from '../support/sockets/web-socket.ts';

const root = join(import.meta.dirname, '..', '..');
const JSON_TYPE = { 'Content-Type': 'application/json' };

let redis: SharedRedis;
let gateway: ServiceProcess;
let example: Command;
let port: number;
let password: string;

beforeAll(async () => {
  redis = await workerRedis();
  const onRedis = { REDIS_URL: redis.url };
  gateway = await startService('gateway', onRedis);
  // As the README says, from the root of a clone that was built.
  example = startCommand(process.execPath, ['examples/passport/server.mjs'], {
    cwd: root,
    env: { ...onRedis, PORT: '0', GATEWAY_URL: `ws://localhost:${gateway.port}` },
  });
  const said = /^http:\/\/localhost:(\d+) {2}user ada {2}password (\S+)$/m;
  const [, listening, made] = (await until(() => said.exec(example.stdout()))) ?? [];
  [port, password] = [Number(listening), made ?? ''];
  await until(() => example.stdout().includes('store_available'));
});

/** A client with a cookie jar. */
class Visitor {
  #cookie: string | undefined;

  async send(path: string, { headers = {}, ...options }: HttpRequestOptions = {}): Promise<HttpReply> {
    const cookie = this.#cookie === undefined ? {} : { Cookie: this.#cookie };
    const reply = await httpRequest(port, path, { ...options, headers: { ...cookie, ...headers } });
    for (const line of reply.lines('Set-Cookie')) this.#cookie = line.split(';', 1)[0];
    return reply;
  }

  signIn(given = password): Promise<HttpReply> {
    const body = new URLSearchParams({ username: 'ada', password: given }).toString();
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return this.send('/sign-in', { method: 'POST', headers, body });
  }

  ask(headers: Record<string, string> = JSON_TYPE, body = '{}'): Promise<HttpReply> {
    return this.send('/realtime/tickets', { method: 'POST', headers, body });
  }
}

let visitor: Visitor;
beforeEach(() => {
  visitor = new Visitor();
});

async function signedIn(): Promise<Visitor> {
  const { status, headers } = await visitor.signIn();
  expect([status, headers.location]).toEqual([302, '/']);
  return visitor;
}

describe('a visitor who is signed out', () => {
  test('gets a 401 with the challenge of the application', async () => {
    const { status, body, headers } = await visitor.ask();

    expect([status, body.code]).toEqual([401, 'credentials_missing']);
    expect(headers['www-authenticate']).toBe('Application realm="oncegate"');
  });

  test('stays signed out after a wrong password', async () => {
    expect((await visitor.signIn('wrong')).headers.location).toBe('/?failed');

    expect((await visitor.ask()).status).toBe(401);
  });

  test('is signed out again after signing out', async () => {
    await signedIn();
    expect((await visitor.ask()).status).toBe(201);
    expect((await visitor.send('/sign-out', { method: 'POST' })).status).toBe(302);

    expect((await visitor.ask()).body.code).toBe('credentials_missing');
  });
});

describe('a visitor who is signed in', () => {
  test('gets a ticket from the mounted router, and connects with it through the gateway', async () => {
    await signedIn();
    const { status, body, headers } = await visitor.ask(JSON_TYPE, '{"claims":{"room":7,"name":"Eve"}}');
    expect(status).toBe(201);
    expect(headers.location).toBe(`/realtime/tickets/${body.id}`);
    expect(body.url).toBe(`ws://localhost:${gateway.port}`);

    const url = `ws://127.0.0.1:${gateway.port}/~${String(body.id)}`;
    const protocols = body.protocols as string[]; // what POST /tickets answers
    const client = await openWebSocket(url, { protocols });
    await until(() => client.messages.length > 0);
    expect(JSON.parse(String(client.messages[0]))).toEqual({
      type: 'hello',
      ticket_id: body.id,
      subject: 'ada',
      claims: { name: 'Ada Lovelace' },
      client_claims: { room: 7, name: 'Eve' },
    });
    const record = await visitor.send(String(headers.location));
    expect(record.body).toMatchObject({ state: 'open', subject: 'ada' });
    // The connection ends with the login: the session cookie lasts an hour.
    const left = Date.parse(String(record.body.session_expires_at)) - Date.now();
    expect(left).toBeLessThanOrEqual(3_600_000);
    expect(left).toBeGreaterThan(3_500_000);

    await expect(openWebSocket(url, { protocols })).rejects.toSatisfy(
      (error) => error instanceof Refused && error.status === 401 && error.code === 'ticket_consumed',
    );
    expect((await visitor.send(String(headers.location), { method: 'DELETE', headers: JSON_TYPE })).status).toBe(204);
    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
  });

  test.each([
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['another origin', { ...JSON_TYPE, Origin: 'https://evil.example' }],
    ['another site', { ...JSON_TYPE, 'Sec-Fetch-Site': 'cross-site' }],
  ])('gets none from %s', async (_name, headers) => {
    await signedIn();
    const { status, body } = await visitor.ask(headers);

    expect([status, body.code]).toEqual([403, 'csrf_refused']);
  });

  test("gets a ticket from the application's page", async () => {
    await signedIn();

    for (const own of [`http://localhost:${port}`, `http://127.0.0.1:${port}`]) {
      const headers = { ...JSON_TYPE, Host: own.slice(7), Origin: own, 'Sec-Fetch-Site': 'same-origin' };
      expect((await visitor.ask(headers)).status).toBe(201);
    }
  });
});

describe("the application's own routes", () => {
  test.each([
    ['/', 200],
    ['/me', 401],
    ['/nothing', 404],
    ['/realtime', 404],
    ['/realtime/nothing', 404],
    ['/tickets', 404],
    ['/problems', 404],
  ])('%s is as it was: %i, and without a header of ours', async (path, status) => {
    const reply = await visitor.send(path, { headers: { Origin: 'https://evil.example' } });

    expect(reply.status).toBe(status);
    expect(reply.headers['x-powered-by']).toBe('Express');
    const ours = [
      ...['strict-transport-security', 'x-frame-options', 'cross-origin-opener-policy', 'referrer-policy'],
      ...['access-control-allow-origin', 'access-control-expose-headers', 'vary', 'ratelimit', 'www-authenticate'],
    ];
    expect(ours.filter((name) => name in reply.headers)).toEqual([]);
    expect(reply.headers['cache-control']).not.toBe('no-store');
    expect(reply.headers['content-type']).not.toContain('problem');
  });

  test('share their path with the catalogue of refusals', async () => {
    const { status, headers, body } = await visitor.send('/realtime/problems/csrf_refused');

    expect([status, body.code, headers['cache-control']]).toEqual([200, 'csrf_refused', 'no-store']);
  });
});

test.skipIf(isMissing('chromium'))('its page signs in, connects and says why it cannot', async () => {
  const browser = await startChromium();
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://localhost:${port}/`);
  await page.fill('[name=username]', 'ada');
  await page.fill('[name=password]', password);
  await page.click('text=Sign in');
  await page.click('text=Connect');
  const log = page.locator('#log');
  await log.filter({ hasText: '"type":"hello"' }).waitFor();
  expect(await log.textContent()).toMatch(
    /^open\n\{"type":"hello",.*"subject":"ada","claims":\{"name":"Ada Lovelace"\},"client_claims":\{\}\}\n$/,
  );

  await (await context.newPage()).goto(`http://localhost:${port}/`);
  await context.request.post(`http://localhost:${port}/sign-out`);
  await page.click('text=Connect');
  await log.filter({ hasText: 'no ticket: credentials_missing' }).waitFor();
});

// The last test: it ends the example.
test('ends on SIGTERM', async () => {
  example.child.kill('SIGTERM');

  expect(await example.exited).toBe(0);
  expect(example.stderr()).toBe('');
});
