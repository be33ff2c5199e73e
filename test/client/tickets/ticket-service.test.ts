import { runInNewContext } from 'node:vm';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { ConnectOptions, IssuedTicket, ResponseLike } from '../../../client/options.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { requestLine } from '../../../client/tickets/answer.ts';
import { startLoopback } from '../../support/browsers/loopback.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { freePort } from '../../support/machine/free-port.ts';
import { nextMessage, open, problem, refusalOf, SOON, type Stage, setStage } from '../stage.ts';

/** Gets a ticket as an application would, to hand it on. */
async function issue({ options }: Stage, request: object = {}): Promise<Response> {
  return fetch(options.tickets, {
    method: 'POST',
    headers: { Authorization: await bearer('ada'), 'Content-Type': 'application/json' },
    body: JSON.stringify(request),
  });
}

describe('a ticket from a function of the application', () => {
  test('may be an answer of the ticket service', async () => {
    const stage = await setStage();
    const requests: object[] = [];
    const { headers: _, ...options } = stage.options;
    const socket = await open({
      ...options,
      path: '/room/7?seat=3',
      audience: 'chat',
      tickets: (request) => {
        requests.push(request);
        return issue(stage, request);
      },
    });
    expect(JSON.parse(await nextMessage(socket))).toMatchObject({ type: 'hello', ticket_id: stage.issued()[0] });
    expect(requests).toEqual([{ path: '/room/7', audience: 'chat', claims: undefined }]);
  });

  test('may be an object', async () => {
    const stage = await setStage();
    const { headers: _, ...options } = stage.options;
    const ticket = (await (await issue(stage)).json()) as IssuedTicket; // what POST /tickets answers
    const socket = await open({ ...options, tickets: async () => ticket });
    expect(JSON.parse(await nextMessage(socket))).toMatchObject({ type: 'hello', ticket_id: ticket.id });
  });

  test('is explained by the ticket service at `records`', async () => {
    const stage = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const tickets = () => issue(stage, { audience: 'news' });
    const refused = await refusalOf({ ...stage.options, tickets, records: new URL(stage.options.tickets) });
    expect(refused).toMatchObject({ code: 'audience_refused', ticketId: stage.issued()[0] });
  });

  test('may be a refusal of the ticket service', async () => {
    const stage = await setStage();
    const tickets = async () => problem(429, { code: 'pending_limit', retry: 'backoff', retry_after: 17 });
    expect(await refusalOf({ ...stage.options, tickets })).toMatchObject({
      code: 'pending_limit',
      status: 429,
      retry: 'backoff',
      retryAfter: 17,
    });
  });

  test.each([
    ['the network is down', async () => fetch(`http://127.0.0.1:${await freePort()}`)],
    ['the answer breaks off', async () => new Response(broken('{"id":'), { status: 201 })],
    ['the function does not answer in time', () => new Promise<Response>(() => {})],
    [
      'the function throws',
      () => {
        throw new Error('no token');
      },
    ],
  ])('is requested again if %s', async (_, tickets) => {
    const stage = await setStage();
    let asked = 0;
    const socket = await open({
      ...stage.options,
      ...SOON,
      timeoutMs: 1_000,
      attempts: 2,
      tickets: () => {
        asked += 1;
        return asked === 1 ? tickets() : issue(stage);
      },
    });
    expect(socket.readyState).toBe(socket.OPEN);
    expect(asked).toBe(2);
  });
});

describe('the value that the function returns', () => {
  const TICKET = {
    id: 'AAAAAAAAAAAAAAAAAAAAAA',
    url: 'ws://127.0.0.1:1',
    protocols: ['oncegate.v1', 'oncegate.ticket.x'],
  };

  const none: ReadonlyArray<readonly [what: string, returned: unknown]> = [
    ['undefined', undefined],
    ['null', null],
    ['a string', 'ogt_x'],
    ['a list', [TICKET]],
    ['no id', { ...TICKET, id: undefined }],
    ['an invalid id', { ...TICKET, id: '../x' }],
    ['no url', { ...TICKET, url: undefined }],
    ['a url of another scheme', { ...TICKET, url: 'localhost:8081' }],
    ['a url with a query', { ...TICKET, url: 'ws://127.0.0.1:1/?a' }],
    ['a url with a space', { ...TICKET, url: 'ws://a b' }],
    ['no protocols', { ...TICKET, protocols: undefined }],
    ['an empty list of protocols', { ...TICKET, protocols: [] }],
    ['invalid protocols', { ...TICKET, protocols: ['a b', ''] }],
  ];

  test.each(none)('is answer_unreadable if it is no ticket: %s', async (_, returned) => {
    const tickets = async () => returned as IssuedTicket; // an application without types may return anything
    const refused = await refusalOf({ tickets, WebSocket: NeverMade as never });
    expect(refused).toMatchObject({ code: 'answer_unreadable', retry: 'never' });
  });

  test.each(none.filter(([, returned]) => returned !== undefined))(
    'is answer_unreadable if a Response contains it: %s',
    async (_, returned) => {
      const tickets = async () => Response.json(returned, { status: 201 });
      const refused = await refusalOf({ tickets, WebSocket: NeverMade as never });
      expect(refused).toMatchObject({ code: 'answer_unreadable', status: 201, retry: 'never' });
    },
  );

  test('is a refusal if it is the JSON of one', async () => {
    const returned = await problem(429, { code: 'pending_limit', retry: 'backoff', retry_after: 17 }).json();
    expect(await refusalOf({ tickets: async () => returned as IssuedTicket })).toMatchObject({
      code: 'pending_limit',
      status: 429,
      retry: 'backoff',
      retryAfter: 17,
    });
  });
});

/** No socket is created without a ticket. */
class NeverMade {
  constructor() {
    throw new Error('a WebSocket was made');
  }
}

describe('a Response of another library', () => {
  /** A `Response` that is no instance of the global class. */
  function foreign(answer: Response, broke?: unknown): ResponseLike {
    const { ok, status } = answer;
    const json = async () => (broke ? Promise.reject(broke) : answer.json());
    return { ok, status, headers: { get: (name) => answer.headers.get(name) }, json };
  }

  test('is read as one of the global class is: ticket, record and refusal', async () => {
    const stage = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const real = fetch;
    vi.stubGlobal('fetch', async (address: string, init?: RequestInit) => foreign(await real(address, init)));
    onTestFinished(() => void vi.unstubAllGlobals());
    const socket = await open({ ...stage.options, audience: 'chat' });
    expect(socket.readyState).toBe(socket.OPEN);
    expect(await refusalOf({ ...stage.options, audience: 'news' })).toMatchObject({ code: 'audience_refused' });
    expect(await refusalOf({ ...stage.options, headers: {} })).toMatchObject({ code: 'credentials_missing' });
  });

  test('has its Retry-After read', async () => {
    const busy = new Response('', { status: 503, headers: { 'Retry-After': '33' } });
    const refused = await refusalOf({ tickets: async () => foreign(busy) });
    expect(refused).toMatchObject({ code: 'answer_unreadable', status: 503, retryAfter: 33 });
  });

  test.each([
    ['the SyntaxError of another realm', runInNewContext('new SyntaxError("<")'), 'answer_unreadable'],
    ['an error of node-fetch', Object.assign(new Error('<'), { type: 'invalid-json' }), 'answer_unreadable'],
    ['any other error, for it broke off', Object.assign(new Error('-'), { type: 'aborted' }), 'service_unreachable'],
  ])('is not JSON, says %s', async (_, broke, code) => {
    const answer = foreign(new Response('', { status: 200 }), broke);
    expect(await refusalOf({ tickets: async () => answer })).toMatchObject({ code });
  });

  test('is needed neither as a global nor is a Request', async () => {
    const stage = await setStage();
    const real = fetch;
    vi.stubGlobal('fetch', async (address: string, init?: RequestInit) => foreign(await real(address, init)));
    for (const name of ['Response', 'Request']) vi.stubGlobal(name, undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
    expect((await open(stage.options)).readyState).toBe(1);
  });
});

describe('options that no request can be made with', () => {
  const circular: { self?: object } = {};
  circular.self = circular;
  const wrong: ReadonlyArray<readonly [string, Partial<ConnectOptions<WebSocket>>]> = [
    ['a relative address where there is no page', { tickets: '/tickets' }],
    ['no address where there is no page', {}],
    ['an address without a scheme', { tickets: 'localhost/tickets' }],
    ['a relative address of records', { tickets: async () => unasked(), records: '/tickets' }],
    ['a password in the address', { tickets: 'http://ada:secret@localhost/tickets' }],
    ['a header with a space', { tickets: 'http://localhost/tickets', headers: { 'my header': '1' } }],
    ['claims that are no JSON', { tickets: 'http://localhost/tickets', claims: circular }],
  ];
  const unasked = (): never => {
    throw new Error('a ticket was asked for');
  };

  test.each(wrong)('are a TypeError at once, before any request: %s', async (_, options) => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(unasked);
    onTestFinished(() => void vi.restoreAllMocks());
    await expect(open({ ...options, attempts: Infinity })).rejects.toBeInstanceOf(TypeError);
    const socket = new OncegateSocket({ ...options, WebSocket });
    const { error } = await new Promise<{ readonly error?: unknown }>((resolve) => {
      socket.onerror = resolve;
    });
    expect(error).toBeInstanceOf(TypeError);
    expect([socket.readyState, fetched.mock.calls]).toEqual([socket.CLOSED, []]);
  });

  test.each([
    ['of its base element', { document: { baseURI: 'http://page.example/app/' }, location: undefined }],
    ['of a worker', { document: undefined, location: { href: 'http://page.example/app/worker.js' } }],
  ])('do not include a relative address on a page: it is resolved with the address %s', async (_, globals) => {
    const asked: string[] = [];
    vi.stubGlobal('document', globals.document);
    vi.stubGlobal('location', globals.location);
    vi.stubGlobal('fetch', async (address: string) => {
      asked.push(address);
      return problem(401, { code: 'credentials_missing' });
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    await refusalOf({});
    await refusalOf({ tickets: 'tickets?tenant=1' });
    expect(asked).toEqual(['http://page.example/tickets', 'http://page.example/app/tickets?tenant=1']);
  });

  test('do not include a network that is down', async () => {
    const refused = await refusalOf({ tickets: `http://127.0.0.1:${await freePort()}/tickets` });
    expect(refused).toMatchObject({ code: 'service_unreachable', retry: 'backoff' });
  });
});

describe('the address of the ticket service', () => {
  test.each([
    ['', ''],
    ['/', ''],
    ['?tenant=1', '?tenant=1'],
    ['/?tenant=1&of=/', '?tenant=1&of=/'],
    ['//#there', '#there'],
  ])('may end with %j: the id of a record goes behind the path', async (ending, kept) => {
    const stage = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const fetched = vi.spyOn(globalThis, 'fetch');
    onTestFinished(() => void vi.restoreAllMocks());
    const address = stage.options.tickets;
    const options = { ...stage.options, audience: 'news', tickets: async () => issue(stage, { audience: 'news' }) };
    for (const records of [address + ending, new URL(address + ending)]) {
      expect(await refusalOf({ ...options, records })).toMatchObject({ code: 'audience_refused' });
      expect(String(fetched.mock.lastCall?.[0])).toBe(`${address}/${stage.issued().at(-1)}${kept}`);
    }
  });

  test.each(['/', '?tenant=1', '/?tenant=1'])('may end with %j: tickets are issued there', async (ending) => {
    const { options } = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const refused = await refusalOf({ ...options, tickets: options.tickets + ending, audience: 'news' });
    expect(refused).toMatchObject({ code: 'audience_refused', status: 403 });
  });
});

/** A body that breaks off. */
function broken(beginning: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(beginning));
      controller.error(new TypeError('terminated'));
    },
  });
}

describe('an answer of the ticket service', () => {
  test.each([
    ['a page', new Response('<!doctype html>', { status: 200 }), 'answer_unreadable', 'never'],
    ["an application's own JSON", Response.json({ ok: true }), 'answer_unreadable', 'never'],
    ["an application's own 404", Response.json({ code: 'E_ROUTE' }, { status: 404 }), 'answer_unreadable', 'never'],
    ["a proxy's 408", new Response('Request Time-out', { status: 408 }), 'answer_unreadable', 'backoff'],
    ["a proxy's 502", new Response('Bad Gateway', { status: 502 }), 'answer_unreadable', 'backoff'],
    ["an application's own 401", Response.json({ code: 4711 }, { status: 401 }), 'credentials_missing', 'never'],
  ] as const)('that is %s is read as %s', async (_, response, code, retry) => {
    expect(await refusalOf({ tickets: async () => response })).toMatchObject({ code, status: response.status, retry });
  });

  test.each([
    ['33', 33],
    ['0', 0],
    [new Date(Date.UTC(2031, 0, 1, 0, 1, 30)).toUTCString(), 90],
  ])('may have a Retry-After of a proxy: %s', async (told, retryAfter) => {
    vi.useFakeTimers({ now: Date.UTC(2031, 0, 1), toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const response = new Response('', { status: 503, headers: { 'Retry-After': told } });
    expect(await refusalOf({ tickets: async () => response })).toMatchObject({ retry: 'backoff', retryAfter });
  });

  test.each(['', '-5', '-2050', 'soon', 'Infinity', '1e999', '5, 5', new Date(0).toUTCString()])(
    'may have a Retry-After that is ignored: %j',
    async (told) => {
      const response = new Response('', { status: 503, headers: { 'Retry-After': told } });
      expect(await refusalOf({ tickets: async () => response })).toMatchObject({ retryAfter: undefined });
    },
  );

  test.each(['-1000', '"soon"', '"7"', '1e999', 'null', '[]'])(
    'may have a retry_after that is ignored: %s',
    async (told) => {
      const body = `{"type":"urn:oncegate:problem:overloaded","retry":"backoff","retry_after":${told}}`;
      const answer = (headers: Record<string, string>) => async () => new Response(body, { status: 503, headers });
      expect(await refusalOf({ tickets: answer({ 'Retry-After': '9' }) })).toMatchObject({ retryAfter: 9 });
      expect(await refusalOf({ tickets: answer({}) })).toMatchObject({ retryAfter: 5 }); // the value of the table
    },
  );

  test.each([-1_000, 'soon'])('does not end the backoff with a retry_after of %s', async (retry_after) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    onTestFinished(() => void vi.restoreAllMocks());
    const leaving = new AbortController();
    let asked = 0;
    const refused = refusalOf({
      tickets: async () => {
        asked += 1;
        return problem(503, { code: 'newer', retry: 'backoff', retry_after });
      },
      attempts: 100_000,
      signal: leaving.signal,
    }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(asked).toBe(4); // at 0, 250, 750 and 1,750 ms
    leaving.abort();
    await refused;
  });

  test('gives the message its detail', async () => {
    const refused = await refusalOf({ tickets: async () => problem(403, { code: 'csrf_refused', detail: 'Not so.' }) });
    expect(refused).toMatchObject({ name: 'ConnectRefused', message: 'csrf_refused: Not so.' });
  });

  test('that is a 422 tells every field, and the first one in the message', async () => {
    const { options } = await setStage();
    const claims = () => ({ order: 'x'.repeat(5_000) });
    const refused = await refusalOf({ ...options, path: 'no-slash', claims });
    expect(refused).toMatchObject({ code: 'request_invalid', status: 422, retry: 'never' });
    expect(refused.errors?.map(({ pointer }) => pointer).toSorted()).toEqual(['#/claims', '#/path']);
    const [first] = refused.errors ?? [];
    expect(refused.message.endsWith(` ${first?.pointer} ${first?.detail}`)).toBe(true);
    expect((await refusalOf({ ...options, audience: '' })).message).toContain('#/audience');
  });

  test.each([undefined, null, 'x', 4, {}, [null]])('may have errors that are ignored: %j', async (errors) => {
    const answer = problem(422, { code: 'request_invalid', detail: 'Not so.', errors });
    const refused = await refusalOf({ tickets: async () => answer });
    expect(refused).toMatchObject({ code: 'request_invalid', message: 'request_invalid: Not so.' });
  });

  test('that is unreadable is named with its request, status and content type, and no credentials', async () => {
    const secret = 's3cret';
    vi.stubGlobal('fetch', async () => new Response('<h1>', { status: 200, headers: { 'Content-Type': 'text/html' } }));
    onTestFinished(() => void vi.unstubAllGlobals());
    const tickets = `http://service.example/tickets?key=${secret}#${secret}`;
    const { message } = await refusalOf({ tickets, headers: { Authorization: secret } });
    expect(message).toMatch(/^answer_unreadable: .* \(POST http:\/\/service\.example\/tickets 200 text\/html\)$/);
    expect(message).not.toContain(secret);
  });

  test.each([
    ['a Response', new Response('-', { status: 502 }), '(tickets() 502 text/plain;charset=UTF-8)'],
    ['an object', { hello: 1 }, '(tickets())'],
    ['nothing', undefined, '(tickets())'],
  ] as ReadonlyArray<[string, unknown, string]>)(
    'of a function that is %s is named too',
    async (_, returned, named) => {
      const { message } = await refusalOf({ tickets: async () => returned as IssuedTicket });
      expect(message.endsWith(` ${named}`)).toBe(true);
    },
  );

  test('that does not come is named with its request, and the handshake that nobody saw too', async () => {
    const port = await freePort();
    const { message } = await refusalOf({ tickets: `http://127.0.0.1:${port}/tickets?key=s3cret` });
    expect(message.endsWith(` (POST http://127.0.0.1:${port}/tickets)`)).toBe(true);
    const stage = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${port}` } });
    const notSeen = await refusalOf({ ...stage.options, path: '/room/7?key=s3cret' });
    const [id] = stage.issued();
    expect(notSeen.message.endsWith(` (GET ws://127.0.0.1:${port}/~${id}/room/7)`)).toBe(true);
  });

  test.each([
    ['https://ada:s3cret@host/a?b#c', 'POST https://host/a'],
    ['/tickets/@ada?s3cret', 'POST /tickets/@ada'],
    ['https://host/a@b', 'POST https://host/a@b'],
    ['//ada:s3cr@et@host\n?a\nb', 'POST //host\n'],
  ])('is named without what may be secret: %j', (address, line) => {
    expect(requestLine('POST', address)).toBe(line);
  });

  const elsewhere = JSON.stringify({ code: 'not_found', type: 'about:blank', status: 404 });

  test.each([
    [
      'the store is down',
      problem(503, { code: 'store_unavailable', retry_after: 9 }),
      { code: 'store_unavailable', status: 503, retry: 'backoff', retryAfter: 9 },
      'store_unavailable',
    ],
    [
      'too many requests',
      problem(429, { code: 'rate_limited', retry_after: 21 }),
      { code: 'unexplained', status: undefined, retry: 'backoff', retryAfter: 21 },
      'rate_limited',
    ],
    [
      'nobody is signed in',
      problem(401, { code: 'credentials_invalid' }),
      { code: 'unexplained', status: undefined, retry: 'backoff', retryAfter: undefined },
      'credentials_invalid',
    ],
    [
      'no such ticket',
      problem(404, { code: 'not_found' }),
      { code: 'ticket_unknown', status: 401, retry: 'reissue' },
      'not_found',
    ],
    [
      'a 404 of another service',
      new Response('<h1>Not Found</h1>', { status: 404 }),
      { code: 'unexplained', status: undefined, retry: 'backoff' },
      'answer_unreadable',
    ],
    [
      'a 404 of another service, in JSON',
      new Response(elsewhere, { status: 404, headers: { 'Content-Type': 'application/problem+json' } }),
      { code: 'unexplained', status: undefined, retry: 'backoff' },
      'answer_unreadable',
    ],
  ])('to the question why: %s', async (_, answer, told, cause) => {
    const stage = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${await freePort()}` } });
    const real = fetch;
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (address: string, init?: RequestInit) => {
      asked.push(String(init?.method));
      return init?.method === 'POST' ? real(address, init) : answer;
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const refused = await refusalOf(stage.options);
    expect(refused).toMatchObject({ ...told, ticketId: stage.issued()[0] });
    expect(refused.cause).toMatchObject({ code: cause, status: answer.status });
    expect(asked).toEqual(['POST', 'GET']);
  });
});

describe('attack: a redirect to another origin', () => {
  /** Redirects every request to another server. */
  async function setTrap(status: number) {
    const other = await startLoopback((_request, response) => response.end('{}'));
    const trap = await startLoopback((request, response) => {
      response.writeHead(status, { Location: `${other.url}${request.url}` }).end();
    });
    return { trap, other };
  }

  test.each([301, 302, 303, 307, 308])(
    'with %i gets no header and no body of a request for a ticket',
    async (status) => {
      const { trap, other } = await setTrap(status);
      const options = { headers: { Authorization: 'Bearer secret' }, claims: { secret: true }, attempts: 1 };
      const refused = await refusalOf({ ...options, tickets: `${trap.url}/tickets`, WebSocket: NeverMade as never });

      expect(refused.code).toBe('service_unreachable');
      expect(trap.count('/tickets')).toBe(1);
      expect(other.requests).toEqual([]);
    },
  );

  test.each([302, 307])('with %i gets no header of the question why a handshake failed', async (status) => {
    const { trap, other } = await setTrap(status);
    const stage = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const tickets = () => issue(stage, { audience: 'news' });
    const refused = await refusalOf({ ...stage.options, tickets, records: `${trap.url}/tickets`, attempts: 1 });

    expect(refused.code).toBe('unexplained');
    expect(trap.count(`/tickets/${stage.issued()[0]}`)).toBeGreaterThan(0);
    expect(other.requests).toEqual([]);
  });
});
