import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import {
  type ApplicationPrincipal,
  type EmbeddedTicketRouter,
  type TicketRouterOptions,
  ticketRouter,
} from '../../../../services/ticket/fronts/express.ts';
import { type HttpReply, type HttpRequestOptions, httpRequest } from '../../../support/http/http-request.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import type { LogLine } from '../../../support/services/services.ts';

interface Embedded {
  readonly router: EmbeddedTicketRouter;
  readonly log: readonly LogLine[];
  /** What was logged while it was made. */
  readonly startLines: readonly LogLine[];
  send(path: string, options?: HttpRequestOptions): Promise<HttpReply>;
  /** `POST <prefix>/tickets` with JSON. */
  issue(headers?: Readonly<Record<string, string>>, body?: string): Promise<HttpReply>;
}

interface Options extends Partial<TicketRouterOptions> {
  readonly prefix?: string;
  /** What the application adds before the router, and after it. */
  readonly before?: (app: Express) => void;
  readonly behind?: (app: Express) => void;
}

const ada = { subject: 'ada' };

/** An application with the router. Tickets are in memory by default. */
async function embed({ prefix = '/', before, behind, ...options }: Options = {}): Promise<Embedded> {
  const log: LogLine[] = [];
  const logger = pino({ base: {} }, { write: (line: string) => void log.push(JSON.parse(line) as LogLine) }); // one object a line
  const router = ticketRouter({ authenticate: () => ada, settings: {}, log: logger, ...options });
  const startLines = log.splice(0);
  const app = express();
  before?.(app);
  app.use(prefix, router);
  behind?.(app);
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    await new Promise((resolve) => server.close(resolve));
    await router.close();
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const send: Embedded['send'] = (path, given) => httpRequest(port, path, given);
  const base = prefix === '/' ? '' : prefix;
  return {
    router,
    log,
    startLines,
    send,
    issue: (headers = {}, body = '{}') =>
      send(`${base}/tickets`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body }),
  };
}

describe('authenticate', () => {
  test('may return a value or a promise', async () => {
    for (const authenticate of [() => ada, async () => ada]) {
      expect((await (await embed({ authenticate })).issue()).status).toBe(201);
    }
  });

  test.each([null, undefined])('says with %s that nobody is signed in', async (nobody) => {
    for (const authenticate of [() => nobody, async () => nobody]) {
      const { status, body, headers } = await (await embed({ authenticate })).issue();

      expect([status, body.code]).toEqual([401, 'credentials_missing']);
      expect(headers['www-authenticate']).toBe('Application realm="oncegate"');
    }
  });

  test('gets the request of Express', async () => {
    const seen: unknown[] = [];
    const { issue } = await embed({
      prefix: '/a',
      before: (app) => app.use((request, _response, next) => next(void Object.assign(request, { user: { id: 7 } }))),
      authenticate: (request) => {
        seen.push([request.baseUrl, request.originalUrl, request.get('x-own'), Reflect.get(request, 'user')]);
        return ada;
      },
    });
    await issue({ 'X-Own': 'value' });

    expect(seen).toEqual([['/a', '/a/tickets', 'value', { id: 7 }]]);
  });

  test('is called once for a request, and not for routes without a caller', async () => {
    let asked = 0;
    const { issue, send } = await embed({
      authenticate: () => {
        asked += 1;
        return ada;
      },
    });
    await send('/problems');
    await send('/nothing');
    expect(asked).toBe(0);
    await issue();
    expect(asked).toBe(1);
  });

  test.each<readonly [string, TicketRouterOptions['authenticate']]>([
    ['throws', () => Promise.reject(new Error('the database of passwords is away'))],
    ['gives an empty subject', () => ({ subject: '' })],
    ['gives a subject with a control character', () => ({ subject: 'a\nb' })],
  ])('is at fault where it %s: 500, and only the log knows why', async (_name, authenticate) => {
    const { issue, log } = await embed({ authenticate });
    const reply = await issue();

    expect([reply.status, reply.headers['content-type']]).toEqual([500, 'application/problem+json; charset=utf-8']);
    expect(reply.body).toEqual({ type: 'about:blank', title: 'Internal Server Error', status: 500 });
    expect(log).toEqual([expect.objectContaining({ level: 50, event: 'fault', message: expect.stringMatching(/\S/) })]);
  });
});

describe('an end of the login', () => {
  test.each<readonly [string, unknown]>([
    ['NaN', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['null', null],
    ['a text', String(Date.now() + 60_000)],
    ['a Date', new Date(Date.now() + 60_000)],
  ])('that is %s means 503, and the log says why', async (_name, expiresAt) => {
    const { issue, log } = await embed({ authenticate: () => ({ ...ada, expiresAt }) as ApplicationPrincipal });
    const { status, body } = await issue();

    expect([status, body.code]).toEqual([503, 'authentication_unavailable']);
    expect(log).toMatchObject([{ event: 'refusal', reason: 'authenticate() gave an expiresAt that is no number' }]);
  });

  test('is rounded down to a millisecond', async () => {
    const expiresAt = Date.now() + 60_000.75;
    const { issue, send } = await embed({ authenticate: () => ({ ...ada, expiresAt }) });
    const { body } = await send(String((await issue()).headers.location));

    expect(body.session_expires_at).toBe(new Date(Math.floor(expiresAt)).toISOString());
  });
});

test('a router without Redis warns that no gateway finds its tickets', async () => {
  expect((await embed({})).startLines).toEqual([expect.objectContaining({ level: 40, event: 'memory_store' })]);
});

describe('the login', () => {
  test('ends the connection when it ends', async () => {
    const expiresAt = Date.now() + 60_000;
    const { issue, send } = await embed({ authenticate: () => ({ ...ada, expiresAt }) });
    const { body } = await send(String((await issue()).headers.location));

    expect(body.session_expires_at).toBe(new Date(expiresAt).toISOString());
  });

  test('ends the ticket too if it ends sooner', async () => {
    const { issue } = await embed({ authenticate: () => ({ ...ada, expiresAt: Date.now() + 5_000 }) });

    expect((await issue()).body.expires_in).toBe(5);
  });

  test.each([0, 1])('that ended %i ms ago is invalid', async (ago) => {
    const { issue, router } = await embed({ authenticate: () => ({ ...ada, expiresAt: Date.now() - ago }) });
    const { status, body } = await issue();

    expect([status, body.code]).toEqual([401, 'credentials_invalid']);
    expect(await router.metrics.metrics()).toContain('\noncegate_tickets_issued_total 0\n');
  });

  test('gives claims, and those that are asked for stay apart', async () => {
    const redis = await startRedis();
    const { issue } = await embed({
      settings: { REDIS_URL: redis.url },
      authenticate: () => ({ ...ada, claims: { role: 'guest' } }),
    });
    const { body } = await until(async () => {
      const reply = await issue({}, '{"claims":{"role":"admin","room":7}}');
      if (reply.status !== 201) throw new Error(`not issued: ${reply.text}`);
      return reply;
    });
    const [key = ''] = await redis.client.keys(`oncegate:ticket:*${String(body.id).slice(11)}`);

    expect(JSON.parse((await redis.client.hget(key, 'claims')) ?? '')).toEqual({ role: 'guest' });
    expect(JSON.parse((await redis.client.hget(key, 'client_claims')) ?? '')).toEqual({ role: 'admin', room: 7 });
  });
});

describe('the options', () => {
  test('name another challenge', async () => {
    const { issue } = await embed({ authenticate: () => null, challenge: 'Cookie realm="shop", form-action="/login"' });

    expect((await issue()).headers['www-authenticate']).toBe('Cookie realm="shop", form-action="/login"');
  });

  const cross = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };

  test.each<readonly [string, Options, Readonly<Record<string, string>>, number]>([
    ['are refused', {}, cross, 403],
    ['are refused where csrf is on', { csrf: true }, cross, 403],
    ['are taken where csrf is off', { csrf: false }, cross, 201],
    ['are taken with an Authorization header', {}, { ...cross, Authorization: 'Bearer own' }, 201],
    ['are taken from a listed origin', { settings: { ALLOWED_ORIGINS: cross.Origin } }, cross, 201],
  ])('decide about requests from elsewhere: they %s', async (_name, options, headers, status) => {
    const reply = await (await embed(options)).issue(headers);

    expect(reply.status).toBe(status);
    if (status === 403) expect(reply.body.code).toBe('csrf_refused');
  });

  test('are checked, and all faults are reported together', () => {
    const settings = {
      TICKET_TTL_SECONDS: '0',
      REDIS_URL: 'http://:a-password@127.0.0.1',
      POLICY_FILE: temporaryFile('{"rules":[]}'),
    };
    let fault: unknown;
    try {
      ticketRouter({ authenticate: () => null, settings });
    } catch (error) {
      fault = error;
    }

    expect(fault).toBeInstanceOf(TypeError);
    const lines = String(fault).split('\n');
    expect(lines).toHaveLength(4);
    for (const [index, name] of ['REDIS_URL', 'TICKET_TTL_SECONDS', 'POLICY_FILE'].entries()) {
      expect(lines[index + 1]).toMatch(new RegExp(`^${name}: `));
    }
    expect(String(fault)).not.toContain('a-password');
  });

  test('set rates and the policy as in the service', async () => {
    const { issue } = await embed({
      settings: {
        MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '2',
        POLICY_FILE: temporaryFile('{"rules":[{"subjects":["a*"],"audiences":["chat"]}]}'),
      },
    });

    expect((await issue({}, '{"audience":"admin"}')).body.code).toBe('audience_refused');
    expect((await issue()).status).toBe(201);
    const { status, headers } = await issue();
    expect([status, headers.ratelimit]).toEqual([429, expect.stringMatching(/^"subject";r=0;t=\d+$/)]);
  });
});

describe('below another path', () => {
  test.each(['/', '/realtime', '/a/b'])('%s the Location is right', async (prefix) => {
    const { issue, send } = await embed({ prefix });
    const { headers, body } = await issue();
    const base = prefix === '/' ? '' : prefix;

    expect(headers.location).toBe(`${base}/tickets/${body.id}`);
    expect((await send(String(headers.location))).body).toMatchObject({ id: body.id, state: 'issued' });
  });

  test('in a router of a router it is right too', async () => {
    const { send } = await embed({
      before: (app) => {
        const outer = express.Router();
        outer.use('/inner', ticketRouter({ authenticate: () => ada, settings: {}, log: pino({ level: 'silent' }) }));
        app.use('/outer', outer);
      },
    });
    const { headers } = await send('/outer/inner/tickets', { method: 'POST', headers: { 'X-Requested-With': 'x' } });

    expect(headers.location).toMatch(/^\/outer\/inner\/tickets\/[A-Za-z0-9_-]{22}$/);
  });
});

describe("the application's own", () => {
  test('handlers get unknown paths, similar ones too, without any header of the router', async () => {
    const { send } = await embed({
      behind: (app) => app.use((_request, response) => void response.status(404).send('not here either')),
    });
    for (const path of ['/', '/ticket', '/ticketsfoo', '/tickets.json', '/Tickets', '/problemsolving']) {
      const { status, text, headers } = await send(path);

      expect([path, status, text]).toEqual([path, 404, 'not here either']);
      for (const name of ['content-security-policy', 'vary', 'cache-control', 'x-frame-options']) {
        expect(headers[name]).toBeUndefined();
      }
    }
  });

  test('error handler gets its own faults', async () => {
    const { send, log } = await embed({
      before: (app) => app.get('/broken', () => Promise.reject(new Error('broken'))),
      behind: (app) => {
        app.get('/broken-behind', () => Promise.reject(new Error('broken behind')));
        app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
          response.status(500).send(`handled: ${error.message}`);
        });
      },
    });

    expect((await send('/broken')).text).toBe('handled: broken');
    expect((await send('/broken-behind')).text).toBe('handled: broken behind');
    expect(log).toEqual([]);
  });

  test.each<readonly [string, (app: Express) => void]>([
    ['express.json()', (app) => app.use(express.json())],
    ['express.urlencoded()', (app) => app.use(express.urlencoded({ extended: true }))],
    ['both', (app) => app.use(express.json(), express.urlencoded({ extended: false }))],
  ])('body parser in front does no harm: %s', async (_name, before) => {
    const { issue } = await embed({ before });

    expect((await issue({}, '{"ttl_seconds":7}')).body.expires_in).toBe(7);
    expect((await issue({}, '{"ttl_seconds":0}')).status).toBe(422);
  });

  test('trust proxy setting does not decide which peers the router trusts', async () => {
    const { issue } = await embed({
      before: (app) => app.set('trust proxy', true),
      settings: { MAX_REQUESTS_PER_MINUTE_PER_ADDRESS: '1' },
    });

    expect((await issue({ 'X-Forwarded-For': '192.0.2.1' })).status).toBe(201);
    expect((await issue({ 'X-Forwarded-For': '192.0.2.2' })).status).toBe(429);
  });
});

describe('close', () => {
  test('closes the connection to Redis and stops listening to SIGHUP', async () => {
    const redis = await startRedis();
    const clients = async (): Promise<number> => {
      const list = String(await redis.call('CLIENT', 'LIST'));
      return list.trim().split('\n').length;
    };
    const [before, listeners] = [await clients(), process.listenerCount('SIGHUP')];
    const router = ticketRouter({
      authenticate: () => null,
      settings: { REDIS_URL: redis.url, POLICY_FILE: temporaryFile('{"rules":[{"subjects":["*"]}]}') },
      log: pino({ level: 'silent' }),
    });
    await until(async () => (await clients()) > before);
    expect(process.listenerCount('SIGHUP')).toBe(listeners + 1);

    await router.close();
    await until(async () => (await clients()) === before);
    expect(process.listenerCount('SIGHUP')).toBe(listeners);
  });
});
