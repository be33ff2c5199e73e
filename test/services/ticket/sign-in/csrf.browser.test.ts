import { createServer, type RequestListener, request as startRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RedisStore } from 'connect-redis';
import express, { type Express } from 'express';
import session from 'express-session';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { createClient } from 'redis';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startChromium } from '../../../support/browsers/chromium.ts';
import { isMissing } from '../../../support/machine/programs.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import { metric, type ServiceProcess, startService } from '../../../support/services/services.ts';

const SECRET = 'signs the session cookie of the application';

/** A request to the ticket service, as the proxy in front of it saw it. */
interface Seen {
  readonly method: string;
  readonly path: string;
  readonly cookie: string | undefined;
  readonly site: string | string[] | undefined;
}

/** Serves on 127.0.0.1, which is `localhost` too, and returns the port. */
async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port; // a TCP server that listens has one
}

/** An application with a login, and on the same origin, behind its proxy, the ticket service. */
async function application(redisUrl: string, ticketPort: number, seen: Seen[]): Promise<Express> {
  const client = createClient({ url: redisUrl });
  await client.connect();
  atEnd(() => client.close());
  const app = express();
  app.use('/tickets', (incoming, outgoing) => {
    const { method, originalUrl: path, headers } = incoming;
    seen.push({ method, path, cookie: headers.cookie, site: headers['sec-fetch-site'] });
    const onward = startRequest({ host: '127.0.0.1', port: ticketPort, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  app.use(session({ secret: SECRET, store: new RedisStore({ client }), resave: false, saveUninitialized: false }));
  app.get('/sign-in/:sameSite', ({ params, session: current }, response) => {
    const { sameSite } = params;
    if (sameSite === 'lax' || sameSite === 'strict') current.cookie.sameSite = sameSite;
    Object.assign(current, { passport: { user: { id: 'ada' } } });
    response.type('html').send('<!doctype html><p>signed in</p>');
  });
  app.use(blank);
  return app;
}

const blank: RequestListener = (_request, response) => {
  response.setHeader('Content-Type', 'text/html');
  response.end('<!doctype html><link rel="icon" href="data:,"><p>a page</p>');
};

// Scripts that a page runs. `target` is the origin of the ticket service.

const submitForm = (enctype: string, frame = ''): string => `
  const form = document.body.appendChild(document.createElement('form'));
  Object.assign(form, { method: 'post', action: target + '/tickets', enctype: '${enctype}', target: '${frame}' });
  ${frame && `document.body.appendChild(document.createElement('iframe')).name = '${frame}';`}
  const field = form.appendChild(document.createElement('input'));
  Object.assign(field, { name: '{"audience":"', value: 'chat"}' });
  form.submit();`;

const send = (path: string, init: string): string => `
  return fetch(target + '${path}', { credentials: 'include', ${init} }).then(
    async (answer) => [answer.type, answer.status, (await answer.text()).length],
    () => 'refused by the browser',
  );`;

const JSON_BODY = `headers: { 'Content-Type': 'application/json' }, body: '{}'`;
const NEVER_ISSUED = '/tickets/AAAAAAAAAAAAAAAAAAAAAA';

/** Attempts that a browser sends without a preflight, with its cookies. */
const simple: ReadonlyArray<readonly [string, string]> = [
  ['a form', submitForm('application/x-www-form-urlencoded')],
  ['a form that looks like JSON', submitForm('text/plain')],
  ['a form with parts', submitForm('multipart/form-data')],
  ['a form in a frame', submitForm('text/plain', 'sink')],
  ['fetch without CORS', send('/tickets', `method: 'POST', mode: 'no-cors', body: '{"audience":"chat"}'`)],
  ['fetch without CORS and without a body', send('/tickets', `method: 'POST', mode: 'no-cors'`)],
  ['fetch with CORS and plain text', send('/tickets', `method: 'POST', body: '{}'`)],
  ['a beacon', `return navigator.sendBeacon(target + '/tickets', '{}');`],
  ['a renewal without CORS', send(`${NEVER_ISSUED}/renew`, `method: 'POST', mode: 'no-cors'`)],
];

/** Attempts for which a browser sends a preflight first. */
const preflighted: ReadonlyArray<readonly [string, string]> = [
  ['fetch with JSON', send('/tickets', `method: 'POST', ${JSON_BODY}`)],
  ['fetch with a custom header', send('/tickets', `method: 'POST', headers: { 'X-Requested-With': 'fetch' }`)],
  ['a revocation', send(NEVER_ISSUED, `method: 'DELETE'`)],
  ['a renewal with JSON', send(`${NEVER_ISSUED}/renew`, `method: 'POST', ${JSON_BODY}`)],
];

describe.skipIf(isMissing('chromium'))('with the session cookie in a real browser', () => {
  let browser: Browser;
  let redis: SharedRedis;
  let ticket: ServiceProcess;
  let context: BrowserContext;
  let own: string;
  let listed: string;
  /** Another origin of the same site: cookies ignore the port. */
  let sibling: string;
  /** Another site. */
  let stranger: string;
  const seen: Seen[] = [];

  beforeAll(async () => {
    redis = await workerRedis();
    const evil = await serve(blank);
    [sibling, stranger] = [`http://127.0.0.1:${evil}`, `http://localhost:${evil}`];
    listed = `http://127.0.0.1:${await serve(blank)}`;
    ticket = await startService('ticket', {
      REDIS_URL: redis.url,
      AUTH_SESSION_SECRET: SECRET,
      AUTH_SESSION_SUBJECT: 'passport.user.id',
      ALLOWED_ORIGINS: listed,
    });
    await until(async () => (await fetch(`http://127.0.0.1:${ticket.adminPort}/readyz`)).ok);
    own = `http://127.0.0.1:${await serve(await application(redis.url, ticket.port, seen))}`;
    browser = await startChromium();
  });

  beforeEach(async () => {
    context = await browser.newContext();
    seen.length = 0;
  });
  afterEach(() => context.close());

  async function open(url: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  async function signIn(sameSite: 'lax' | 'strict' | 'unset'): Promise<void> {
    await (await open(`${own}/sign-in/${sameSite}`)).close();
    const [cookie] = await context.cookies(own);
    expect(cookie?.name).toBe('connect.sid');
  }

  /** Runs a script in a page of an origin, and returns its result. */
  async function runOn(origin: string, script: string): Promise<unknown> {
    const page = await open(origin);
    return page.evaluate(`(async (target) => {${script}})(${JSON.stringify(own)})`);
  }

  const count = (code: string): Promise<number> => metric(ticket, `oncegate_requests_refused_total{code="${code}"}`);
  const issued = (): Promise<number> => metric(ticket, 'oncegate_tickets_issued_total');
  const inStore = async (): Promise<number> => (await redis.client.keys('oncegate:ticket:*')).length;

  /** Runs an action, and asserts that it issued no ticket. */
  async function withoutTicket(attempt: () => Promise<unknown>): Promise<void> {
    const before = [await issued(), await inStore()];
    await attempt();
    expect([await issued(), await inStore()]).toEqual(before);
  }

  /** Waits until the service has refused one more request with `csrf_refused`. */
  async function refusedForOrigin(attempt: () => Promise<unknown>): Promise<void> {
    const before = await count('csrf_refused');
    await attempt();
    await until(async () => (await count('csrf_refused')) === before + 1);
    const sent = seen.filter(({ method }) => method === 'POST');
    expect(sent).toHaveLength(1);
    expect(sent[0]?.cookie).toMatch(/connect\.sid=s%3A/);
    // The log comes through a pipe, later than the metric. It contains lines about Redis too.
    const logged = () => ticket.log.filter(({ event, code }) => event === 'refusal' && code === 'csrf_refused');
    await until(async () => logged().length === before + 1);
    expect(logged().at(-1)).toMatchObject({ subject: 'ada' });
  }

  describe('a page of another origin of the same site', () => {
    test.each(simple)('sends the cookie and gets no ticket: %s', async (_name, script) => {
      await signIn('unset');
      await withoutTicket(() => refusedForOrigin(() => runOn(sibling, script)));
      expect(seen[0]?.site).toBe('same-site');
    });

    test.each(['lax', 'strict'] as const)('gets no ticket though even a %s cookie is sent', async (sameSite) => {
      await signIn(sameSite);
      const script = send('/tickets', `method: 'POST', mode: 'no-cors', body: '{}'`);
      await withoutTicket(() => refusedForOrigin(() => runOn(sibling, script)));
    });

    test.each(preflighted)('is stopped by the preflight: %s', async (_name, script) => {
      await signIn('unset');
      await withoutTicket(async () => {
        expect(await runOn(sibling, script)).toBe('refused by the browser');
      });
      expect(seen.map(({ method, cookie }) => [method, cookie])).toEqual([['OPTIONS', undefined]]);
    });

    test('gets no ticket with an image, and does not see the list', async () => {
      await signIn('unset');
      await withoutTicket(async () => {
        const script = `const image = new Image(); image.src = target + '/tickets';
          return new Promise((done) => { image.onload = () => done('shown'); image.onerror = () => done('not shown'); });`;
        expect(await runOn(sibling, script)).toBe('not shown');
        expect(await runOn(sibling, send('/tickets', `method: 'GET'`))).toBe('refused by the browser');
      });
      expect(seen).toHaveLength(2);
      for (const { method, cookie } of seen) expect([method, cookie]).toEqual(['GET', expect.stringContaining('s%3A')]);
    });
  });

  describe('a page of another site', () => {
    test('gets no ticket with a form that sends the cookie', async () => {
      await signIn('unset');
      await withoutTicket(() => refusedForOrigin(() => runOn(stranger, submitForm('text/plain'))));
      expect(seen[0]?.site).toBe('cross-site');
    });

    test.each(simple)('gets no ticket without the cookie either: %s', async (_name, script) => {
      await signIn('lax');
      await withoutTicket(async () => {
        const before = await count('credentials_missing');
        await runOn(stranger, script);
        await until(async () => (await count('credentials_missing')) === before + 1);
      });
      expect(seen.map(({ cookie }) => cookie)).toEqual([undefined]);
    });
  });

  describe("a page of the service's own origin", () => {
    test.each([
      ['JSON', JSON_BODY],
      ['a custom header', `headers: { 'X-Requested-With': 'fetch' }`],
    ])('gets a ticket with %s', async (_name, init) => {
      await signIn('strict');
      const before = [await issued(), await inStore()];
      expect(await runOn(own, send('/tickets', `method: 'POST', ${init}`))).toEqual(['basic', 201, expect.any(Number)]);
      expect([await issued(), await inStore()]).toEqual(before.map((value) => value + 1));
      expect(seen.map(({ method, site }) => [method, site])).toEqual([['POST', 'same-origin']]);
    });

    test('gets no ticket with a form', async () => {
      await signIn('unset');
      await withoutTicket(() => refusedForOrigin(() => runOn(own, submitForm('text/plain'))));
    });
  });

  describe('a page of a listed origin', () => {
    test('gets a ticket, may read the answer, and may revoke it', async () => {
      await signIn('strict');
      const before = await inStore();
      const script = `
        const options = { credentials: 'include', headers: { 'Content-Type': 'application/json' } };
        const issued = await fetch(target + '/tickets', { ...options, method: 'POST', body: '{}' });
        const { id, ticket } = await issued.json();
        const location = issued.headers.get('Location');
        const revoked = await fetch(target + location, { ...options, method: 'DELETE' });
        return { status: issued.status, ticket, fits: location === '/tickets/' + id, revoked: revoked.status };`;
      expect(await runOn(listed, script)).toEqual({
        status: 201,
        ticket: expect.stringMatching(/^ogt_/),
        fits: true,
        revoked: 204,
      });
      expect(await inStore()).toBe(before + 1);
    });

    test('gets no ticket with a form', async () => {
      await signIn('unset');
      await withoutTicket(() => refusedForOrigin(() => runOn(listed, submitForm('text/plain'))));
    });

    test('may read the refusal if nobody is signed in', async () => {
      const script = `
        const answer = await fetch(target + '/tickets', { method: 'POST', credentials: 'include' });
        return [answer.status, answer.headers.get('WWW-Authenticate'), (await answer.json()).code];`;
      expect(await runOn(listed, script)).toEqual([
        401,
        'Cookie realm="oncegate", cookie-name="connect.sid"',
        'credentials_missing',
      ]);
    });
  });
});
