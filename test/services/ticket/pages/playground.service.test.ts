import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { SimulatedStore } from '../../../../services/standalone/simulated-store.ts';
import type { Authenticator } from '../../../../services/ticket/authenticators/authenticator.ts';
import { createStore } from '../../../../shared/store/create-store.ts';
import { httpRequest } from '../../../support/http/http-request.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { quickHash } from '../../../support/logins/passwords.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { type InProcess, runGateway, runTicketService, settingsOf } from '../../../support/services/in-process.ts';
import { type Ask, ask } from '../../../support/services/ticket-client.ts';
import { openWithTicket } from '../../../support/sockets/web-socket.ts';

const ON = { PLAYGROUND: 'true', GATEWAY_URL: 'wss://chat.example.org/sockets' };
const anonymous = { credentials: null };

const post = (body: unknown): Ask => ({ method: 'POST', body });

/** A ticket service with its page, and a gateway, on one store that can be made to fail. */
async function startBoth() {
  const store = new SimulatedStore(createStore(await settingsOf({}), pino({ level: 'silent' })));
  const gateway = await runGateway({}, { store });
  const service = await runTicketService({}, { store, playground: { demoUser: 'demo', simulations: store } });
  const issue = (options: Ask = {}) => ask(service, '/tickets', { method: 'POST', ...options });
  const open = async (options: Ask = {}) => {
    const { id, ticket } = (await issue(options)).body;
    return { id: String(id), client: await openWithTicket(gateway.port, String(ticket)) };
  };
  return { store, gateway, service, issue, open };
}

/** The directives of an answer's policy, by name. */
function policyOf(policy: string | null): Record<string, string> {
  const directives = (policy ?? '').split(';').map((directive) => directive.split(' '));
  return Object.fromEntries(directives.map(([name = '', ...values]) => [name, values.join(' ')]));
}

describe('without PLAYGROUND', () => {
  test.each(['/', '/playground/facts', '/playground/page.js', '/playground/'])(
    'there is nothing at %s',
    async (path) => {
      const { status, body } = await ask(await runTicketService(), path);

      expect([status, body.code]).toEqual([404, 'not_found']);
    },
  );

  test.each(['session', 'store', 'limit'])('nothing can be simulated: %s', async (name) => {
    const answer = await ask(await runTicketService(), `/playground/${name}`, post({ seconds: 1 }));

    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  });

  test('false turns off a playground that the process offers', async () => {
    const service = await runTicketService({ PLAYGROUND: 'false' }, { playground: {} });

    expect((await ask(service, '/')).status).toBe(404);
  });
});

describe('the page', () => {
  test('is served without credentials, and loads only files of this service', async () => {
    const service = await runTicketService(ON);
    const { status, headers, text } = await ask(service, '/', anonymous);
    const loaded = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address);

    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(text).not.toMatch(/<style|\sstyle=|<script(?! type="module" src=")|\son\w+=/);
    expect(loaded).toContain('/playground/page.js');
    for (const address of loaded.filter((address) => address !== '/')) {
      expect((await ask(service, address, anonymous)).status, address).toBe(200);
    }
  });

  test('may connect to its own service and the gateways only', async () => {
    const { headers } = await ask(await runTicketService(ON), '/', anonymous);

    expect(policyOf(headers.get('content-security-policy'))).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'img-src': "'self'",
      'connect-src': "'self' wss://chat.example.org",
      'frame-src': "'self'",
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
    });
  });

  test('has a frame of an opaque origin, which may connect to the gateways only', async () => {
    const { headers } = await ask(await runTicketService(ON), '/playground/frame.html', anonymous);

    expect(policyOf(headers.get('content-security-policy'))).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'connect-src': 'wss://chat.example.org',
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'self'",
      sandbox: 'allow-scripts',
    });
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  });

  test.each([
    ['/playground/page.js', 'text/javascript; charset=utf-8', 'same-origin'],
    ['/playground/frame.js', 'text/javascript; charset=utf-8', 'cross-origin'],
    ['/playground/base.css', 'text/css; charset=utf-8', 'same-origin'],
    ['/playground/icon.svg', 'image/svg+xml', 'same-origin'],
  ])('comes with %s', async (path, type, sharing) => {
    const { status, headers } = await ask(await runTicketService(ON), path, anonymous);

    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe(type);
    expect(headers.get('cross-origin-resource-policy')).toBe(sharing);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test.each([
    '/playground/../services/ticket/main.js',
    '/playground/..%2f..%2fpackage.json',
    '/playground/%2e%2e/%2e%2e/package.json',
    '/playground/....//package.json',
    '/playground/..\\..\\package.json',
    '//etc/passwd',
    '/playground//etc/passwd',
    '/playground/index.html',
    '/playground/base%00.css',
    '/PLAYGROUND/base.css',
  ])('has no way to another file: %s', async (path) => {
    const { port } = await runTicketService(ON);
    const { status, body } = await httpRequest(port, path);

    expect([status, body.code]).toEqual([404, 'not_found']);
  });

  test.each([
    ['/', 'POST', 'GET, HEAD'],
    ['/playground/base.css', 'DELETE', 'GET, HEAD'],
    ['/playground/facts', 'PUT', 'GET, HEAD'],
    ['/playground/session', 'GET', 'POST'],
  ])('says of %s what may be done with it instead of %s', async (path, method, allow) => {
    const { status, headers } = await ask(await runTicketService(ON), path, { method });

    expect([status, headers.get('allow')]).toEqual([405, allow]);
  });
});

describe('the facts', () => {
  test('contain the gateway URL and the simulations, and no secret', async () => {
    const { body } = await ask(
      await runTicketService({ ...ON, TICKET_TTL_SECONDS: '12' }),
      '/playground/facts',
      anonymous,
    );

    expect(body).toEqual({
      gateway_url: 'wss://chat.example.org/sockets',
      ttl_seconds: 12,
      demo_user: null,
      existing_login: false,
      simulations: ['session'],
    });
  });

  test('tell whether a browser may be signed in already', async () => {
    const existing = async (env: Record<string, string>) =>
      (await ask(await runTicketService({ ...ON, ...env }), '/playground/facts', anonymous)).body.existing_login;

    expect(await existing({ AUTH_FORWARD_URL: 'http://127.0.0.1:1/me' })).toBe(true);
    expect(await existing({ AUTH_PROXY_HEADER: 'X-User', TRUST_PROXY: '127.0.0.1' })).toBe(true);
    const both = {
      AUTH_FORWARD_URL: 'http://127.0.0.1:1/me',
      AUTH_USERS_FILE: temporaryFile(`ada:${quickHash('correct horse')}\n`),
    };
    expect(await existing(both)).toBe(false);
  });

  test('name the demo user, and the simulations of the process', async () => {
    const { service } = await startBoth();

    expect((await ask(service, '/playground/facts', anonymous)).body).toMatchObject({
      demo_user: 'demo',
      simulations: ['session', 'limit', 'store'],
    });
  });
});

describe('a simulation', () => {
  test.each([
    ['session', { id: 'AAAAAAAAAAAAAAAAAAAAAA', seconds: 1 }],
    ['limit', { connections: 1 }],
    ['store', { seconds: 1 }],
  ])('needs credentials: %s', async (name, wish) => {
    const { service, issue } = await startBoth();
    const { status, body, headers } = await ask(service, `/playground/${name}`, { ...post(wish), ...anonymous });

    expect([status, body.code]).toEqual([401, 'credentials_missing']);
    expect(headers.get('www-authenticate')).toContain('Bearer');
    expect((await issue()).status).toBe(201);
  });

  test.each(['session', 'limit', 'store'])('is not for another site: %s', async (name) => {
    const signedIn: Authenticator = {
      challenge: () => 'Cookie',
      authenticate: async () => ({ kind: 'principal', principal: { subject: 'ada', ambient: true } }),
    };
    const store = new SimulatedStore(createStore(await settingsOf({}), pino({ level: 'silent' })));
    const options = { store, playground: { simulations: store }, authenticators: () => [signedIn] };
    const service = await runTicketService({}, options);
    const headers = { Origin: 'https://evil.example', 'Content-Type': 'application/json' };
    const answer = await ask(service, `/playground/${name}`, { ...post({ seconds: 1 }), headers });

    expect([answer.status, answer.body.code]).toEqual([403, 'csrf_refused']);
  });

  test.each([
    ['session', {}, ['#/id', '#/seconds']],
    ['session', { id: 'AAAAAAAAAAAAAAAAAAAAAA', seconds: 0 }, ['#/seconds']],
    ['session', { id: 'AAAAAAAAAAAAAAAAAAAAAA', seconds: 61 }, ['#/seconds']],
    ['session', { id: 'AAAAAAAAAAAAAAAAAAAAAA', seconds: 1.5 }, ['#/seconds']],
    ['session', { id: '../tickets', seconds: 1 }, ['#/id']],
    ['limit', { connections: -1 }, ['#/connections']],
    ['limit', { connections: 101 }, ['#/connections']],
    ['limit', { connections: '1' }, ['#/connections']],
    ['store', { seconds: 0 }, ['#/seconds']],
    ['store', { seconds: 31 }, ['#/seconds']],
    ['store', { seconds: 1, subject: 'bob' }, ['#/subject']],
    ['store', [], ['#']],
  ])('is refused out of bounds: %s %j', async (name, wish, pointers) => {
    const { service, issue } = await startBoth();
    const { status, body, text } = await ask(service, `/playground/${name}`, post(wish));
    const errors = body.errors as ReadonlyArray<{ pointer: string }>; // request_invalid has them

    expect([status, body.code]).toEqual([422, 'request_invalid']);
    expect(errors.map(({ pointer }) => pointer)).toEqual(pointers);
    expect(text).not.toContain('bob');
    expect((await issue()).status).toBe(201);
  });

  test.each([
    ['session', { id: 'AAAAAAAAAAAAAAAAAAAAAA', seconds: 60 }, 404],
    ['limit', { connections: 0 }, 204],
    ['limit', { connections: 100 }, 204],
    ['store', { seconds: 30 }, 204],
  ])('is taken at its bounds: %s %j', async (name, wish, expected) => {
    const { service } = await startBoth();

    expect((await ask(service, `/playground/${name}`, post(wish))).status).toBe(expected);
  });

  test('reads a JSON object and no more than a kilobyte', async () => {
    const { service } = await startBoth();
    const unreadable = await ask(service, '/playground/store', post('{'));
    const long = await ask(service, '/playground/store', post({ seconds: 1, padding: 'x'.repeat(1_024) }));

    expect(unreadable.body.code).toBe('request_malformed');
    expect(long.body.code).toBe('payload_too_large');
  });
});

describe('the end of a session', () => {
  test('comes sooner for a connection of the caller, with 3000', async () => {
    const { service, open } = await startBoth();
    const { id, client } = await open();
    const before = Date.now();
    const { status, body } = await ask(service, '/playground/session', post({ id, seconds: 1 }));

    expect(status).toBe(200);
    expect(body.id).toBe(id);
    expect(Date.parse(String(body.session_expires_at))).toBeLessThanOrEqual(Date.now() + 1_000);
    expect(Date.parse(String(body.session_expires_at))).toBeGreaterThanOrEqual(before + 1_000);
    expect(await client.closed).toEqual({ code: 3000, reason: 'session_expired' });
  });

  test('is never later than that of the credentials', async () => {
    const { service, open } = await startBoth();
    const { id } = await open();
    const credentials = await bearer('ada', '20s');
    const { body } = await ask(service, '/playground/session', { ...post({ id, seconds: 60 }), credentials });

    expect(Date.parse(String(body.session_expires_at))).toBeLessThanOrEqual(Date.now() + 20_000);
  });

  test("is not changed for another subject's connection, which looks unknown", async () => {
    const { service, open } = await startBoth();
    const { id } = await open();
    const { body: before } = await ask(service, `/tickets/${id}`);
    const credentials = await bearer('bob');
    const foreign = await ask(service, '/playground/session', { ...post({ id, seconds: 1 }), credentials });
    const unknown = await ask(service, '/playground/session', {
      ...post({ id: 'AAAAAAAAAAAAAAAAAAAAAA', seconds: 1 }),
      credentials,
    });

    expect([foreign.status, foreign.body.code]).toEqual([404, 'not_found']);
    expect(foreign.text).toBe(unknown.text);
    expect((await ask(service, `/tickets/${id}`)).body).toEqual(before);
  });

  test('answers 404 if no connection is open', async () => {
    const { service, issue } = await startBoth();
    const { id } = (await issue()).body;

    expect((await ask(service, '/playground/session', post({ id, seconds: 1 }))).status).toBe(404);
  });
});

describe('what a caller has simulated', () => {
  const failing = async (service: InProcess, subject: string) =>
    (await ask(service, '/tickets', { credentials: await bearer(subject) })).body.code;

  test('stops the store for the caller only', async () => {
    const { service } = await startBoth();
    expect((await ask(service, '/playground/store', post({ seconds: 30 }))).status).toBe(204);

    expect(await failing(service, 'ada')).toBe('store_unavailable');
    expect(await failing(service, 'bob')).toBeUndefined();
  });

  test('limits the connections of the caller only', async () => {
    const { service, open } = await startBoth();
    await ask(service, '/playground/limit', post({ connections: 1 }));
    await open();

    await expect(open()).rejects.toMatchObject({ status: 429, code: 'connection_limit' });
    const bob = { credentials: await bearer('bob') };
    await open(bob);
    await open(bob);
  });

  test('answers 404 if the process cannot simulate it', async () => {
    const service = await runTicketService(ON);

    expect((await ask(service, '/playground/store', post({ seconds: 1 }))).status).toBe(404);
    expect((await ask(service, '/playground/limit', post({ connections: 1 }))).status).toBe(404);
  });
});
