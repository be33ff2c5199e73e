import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { connect } from '../../client/connect.ts';
import type { ConnectOptions, IssuedTicket } from '../../client/options.ts';
import { ConnectRefused } from '../../client/refused.ts';
import { freePort } from '../support/free-port.ts';
import { bearer } from '../support/services.ts';
import { problem, type Stage, setStage, startSilentServer } from './connect-stage.ts';

/** So that nobody waits for the backoff. */
const SOON = { backoff: { baseMs: 1, maxMs: 1 } };

async function open(options: ConnectOptions<WebSocket>): Promise<WebSocket> {
  const socket = await connect(options);
  onTestFinished(() => socket.terminate());
  return socket;
}

async function refusalOf(options: ConnectOptions<WebSocket>): Promise<ConnectRefused> {
  const error = await open(options).catch((reason: unknown) => reason);
  if (error instanceof ConnectRefused) return error;
  throw new Error('it was not refused', { cause: error });
}

function nextMessage(socket: WebSocket): Promise<string> {
  return new Promise((resolve) =>
    socket.addEventListener('message', ({ data }) => resolve(String(data)), { once: true }),
  );
}

/** A ticket of a service, as an application would hand it on. */
async function issue({ options }: Stage, wish: object = {}): Promise<Response> {
  return fetch(options.tickets, {
    method: 'POST',
    headers: { Authorization: await bearer('ada'), 'Content-Type': 'application/json' },
    body: JSON.stringify(wish),
  });
}

describe('connect', () => {
  test('resolves with an open socket, before its first message', async () => {
    const { options, issued } = await setStage();
    const socket = await open(options);
    expect(socket.readyState).toBe(socket.OPEN);
    expect(JSON.parse(await nextMessage(socket))).toMatchObject({
      type: 'hello',
      ticket_id: issued()[0],
      subject: 'ada',
    });
    socket.send('and back');
    expect(await nextMessage(socket)).toBe('and back');
  });

  test('has the id of the ticket in the path, the ticket in the subprotocol, and the rest as the application has it', async () => {
    const stage = await setStage();
    const socket = await open({
      ...stage.options,
      path: async () => '/room/7?seat=3',
      claims: () => ({ role: 'guest' }),
      protocols: 'chat.v1',
    });
    expect(socket.url).toBe(`ws://127.0.0.1:${stage.gate.port}/~${stage.issued()[0]}/room/7?seat=3`);
    expect(socket.protocol).toBe('chat.v1');
    expect(JSON.parse(await nextMessage(socket))).toMatchObject({ claims: { role: 'guest' } });
  });

  test('is told the reason of a refusal, and makes one attempt', async () => {
    const { options, issued, gateway } = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const refused = await refusalOf({ ...options, audience: 'news' });
    expect(refused).toMatchObject({ code: 'audience_refused', status: 403, retry: 'never', ticketId: issued()[0] });
    expect(issued()).toHaveLength(1);
    expect(await gateway.metric('oncegate_handshakes_total{outcome="audience_refused"}')).toBe(1);
  });

  test('takes a fresh ticket, and asks its providers, for every attempt that it may make', async () => {
    const { options, issued } = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${await freePort()}` } });
    const paths: string[] = [];
    const path = () => {
      paths.push(`/${paths.length}`);
      return `/${paths.length}`;
    };
    expect(await refusalOf({ ...options, ...SOON, path, attempts: 3 })).toMatchObject({
      code: 'not_seen',
      ticketId: issued()[2],
    });
    expect(new Set(issued()).size).toBe(3);
    expect(paths).toHaveLength(3);
  });

  test('stops at the first refusal that is final, whatever the number of attempts', async () => {
    const { options, issued } = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    await refusalOf({ ...options, ...SOON, audience: 'news', attempts: 5 });
    expect(issued()).toHaveLength(1);
  });

  test('comes through when what was in its way is gone', async () => {
    const stage = await setStage();
    let asked = 0;
    stage.gate.cut();
    const socket = await open({
      ...stage.options,
      ...SOON,
      attempts: 5,
      path: () => {
        asked += 1;
        if (asked === 3) stage.gate.restore();
        return '/';
      },
    });
    expect(socket.readyState).toBe(socket.OPEN);
    expect(stage.issued()).toHaveLength(3);
  });

  test('waits before it asks for a ticket, as long as Retry-After says', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let asked = 0;
    const refused = connect({
      tickets: async () => {
        asked += 1;
        throw new ConnectRefused('rate_limited', { status: 429, retryAfter: 40 });
      },
      backoff: { baseMs: 0 },
      attempts: 2,
    }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(39_999);
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toBe(2);
    expect(await refused).toMatchObject({ code: 'rate_limited', retryAfter: 40 });
  });

  test('gives up on a socket that does not open in time, and closes it', async () => {
    const silent = await startSilentServer();
    const { options } = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${silent.port}` } });
    expect(await refusalOf({ ...options, timeoutMs: 300 })).toMatchObject({ code: 'not_seen' });
    await vi.waitFor(() => expect(silent.connections()).toBe(0));
  });

  test('says what is missing where there is no WebSocket', async () => {
    const { options } = await setStage();
    vi.stubGlobal('WebSocket', undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
    const { WebSocket: _, ...rest } = options;
    await expect(connect(rest)).rejects.toThrow(new TypeError('Pass a WebSocket class as an option'));
  });

  test('waits while the browser is offline', async () => {
    const { options, issued } = await setStage();
    const browser = { onLine: false };
    vi.stubGlobal('navigator', browser);
    onTestFinished(() => void vi.unstubAllGlobals());
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const opening = open(options);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(issued()).toEqual([]);
    browser.onLine = true;
    await vi.advanceTimersByTimeAsync(500);
    vi.useRealTimers();
    expect((await opening).readyState).toBe(1);
  });
});

describe('a ticket that a function gets', () => {
  test('may be an answer of the service', async () => {
    const stage = await setStage();
    const wishes: object[] = [];
    const { headers: _, ...options } = stage.options;
    const socket = await open({
      ...options,
      path: '/room/7?seat=3',
      audience: 'chat',
      tickets: (wish) => {
        wishes.push(wish);
        return issue(stage, wish);
      },
    });
    expect(JSON.parse(await nextMessage(socket))).toMatchObject({ type: 'hello', ticket_id: stage.issued()[0] });
    expect(wishes).toEqual([{ path: '/room/7', audience: 'chat', claims: undefined }]);
  });

  test('may be a ticket that was issued otherwise', async () => {
    const stage = await setStage();
    const { headers: _, ...options } = stage.options;
    const ticket = (await (await issue(stage)).json()) as IssuedTicket; // what POST /tickets answers
    const socket = await open({ ...options, tickets: async () => ticket });
    expect(JSON.parse(await nextMessage(socket))).toMatchObject({ type: 'hello', ticket_id: ticket.id });
  });

  test('is explained by the service that `records` names', async () => {
    const stage = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const tickets = () => issue(stage, { audience: 'news' });
    const refused = await refusalOf({ ...stage.options, tickets, records: new URL(stage.options.tickets) });
    expect(refused).toMatchObject({ code: 'audience_refused', ticketId: stage.issued()[0] });
  });

  test('is refused as the service refuses it', async () => {
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
    ['the network is gone', async () => fetch(`http://127.0.0.1:${await freePort()}`)],
    ['the answer breaks off', async () => new Response(broken('{"id":'), { status: 201 })],
    ['it does not answer in time', () => new Promise<Response>(() => {})],
    [
      'it throws',
      () => {
        throw new Error('no token');
      },
    ],
  ])('is worth another attempt where %s', async (_, tickets) => {
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

/** A body that ends before it is complete. */
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
    ["a proxy's 502", new Response('Bad Gateway', { status: 502 }), 'answer_unreadable', 'backoff'],
    ["an application's own 401", Response.json({ code: 4711 }, { status: 401 }), 'credentials_missing', 'never'],
  ] as const)('that is %s is none of its own', async (_, response, code, retry) => {
    expect(await refusalOf({ tickets: async () => response })).toMatchObject({ code, status: response.status, retry });
  });

  test('has a Retry-After of a proxy obeyed', async () => {
    const response = new Response('', { status: 503, headers: { 'Retry-After': '33' } });
    expect(await refusalOf({ tickets: async () => response })).toMatchObject({ retry: 'backoff', retryAfter: 33 });
  });

  test('says in words what the service says', async () => {
    const refused = await refusalOf({ tickets: async () => problem(403, { code: 'csrf_refused', detail: 'Not so.' }) });
    expect(refused).toMatchObject({ name: 'ConnectRefused', message: 'csrf_refused: Not so.' });
  });

  test.each([
    [503, { code: 'store_unavailable', retry_after: 9 }, { code: 'store_unavailable', status: 503, retryAfter: 9 }],
    [429, { code: 'rate_limited', retry_after: 21 }, { code: 'unexplained', status: undefined, retryAfter: 21 }],
    [401, { code: 'credentials_invalid' }, { code: 'unexplained', status: undefined, retryAfter: undefined }],
  ])(
    'to the question why that is a %i leaves the reason open, and its Retry-After stands',
    async (status, fields, told) => {
      const stage = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${await freePort()}` } });
      const real = fetch;
      const asked: string[] = [];
      vi.stubGlobal('fetch', async (address: string, init?: RequestInit) => {
        asked.push(String(init?.method));
        return init?.method === 'POST' ? real(address, init) : problem(status, fields);
      });
      onTestFinished(() => void vi.unstubAllGlobals());
      const refused = await refusalOf(stage.options);
      expect(refused).toMatchObject({ ...told, retry: 'backoff', ticketId: stage.issued()[0] });
      expect(refused.cause).toMatchObject({ code: fields.code, status });
      expect(asked).toEqual(['POST', 'GET']);
    },
  );
});

describe('a user who is not signed in', () => {
  test('is asked to sign in once, and the attempt goes on with the new credentials', async () => {
    const { options, issued } = await setStage();
    const asked: string[] = [];
    let authorization = 'Bearer none';
    const socket = await open({
      ...options,
      headers: async () => ({ Authorization: authorization }),
      onUnauthenticated: async ({ code }) => {
        asked.push(code);
        authorization = await bearer('ada');
      },
    });
    expect(socket.readyState).toBe(socket.OPEN);
    expect(asked).toEqual(['credentials_invalid']);
    expect(issued()).toHaveLength(1);
  });

  test('who then has no better credentials is refused for good', async () => {
    const { options } = await setStage();
    const asked: string[] = [];
    const refused = await refusalOf({
      ...options,
      attempts: 5,
      headers: {},
      onUnauthenticated: ({ code }) => void asked.push(code),
    });
    expect(refused).toMatchObject({ code: 'credentials_missing', status: 401, retry: 'never' });
    expect(asked).toEqual(['credentials_missing']);
  });

  test('is asked again after a request has succeeded in between', async () => {
    const stage = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${await freePort()}` } });
    const good = await bearer('ada');
    let asked = 0;
    let attempts = 0;
    let authorization = 'Bearer none';
    await refusalOf({
      ...stage.options,
      ...SOON,
      attempts: 2,
      headers: () => ({ Authorization: authorization }),
      path: () => {
        attempts += 1;
        // The first, the same again after the login, and the second.
        if (attempts === 3) authorization = 'Bearer expired';
        return '/';
      },
      onUnauthenticated: () => {
        asked += 1;
        authorization = good;
      },
    });
    expect(asked).toBe(2);
    expect(stage.issued()).toHaveLength(2);
  });

  test('and does not want to be ends it with the reason of the application', async () => {
    const { options } = await setStage();
    const cancelled = new Error('cancelled');
    const onUnauthenticated = () => Promise.reject(cancelled);
    await expect(connect({ ...options, headers: {}, onUnauthenticated })).rejects.toBe(cancelled);
  });

  test('is refused at once where the application has no login', async () => {
    const { options } = await setStage();
    expect(await refusalOf({ ...options, headers: {} })).toMatchObject({ code: 'credentials_missing', status: 401 });
  });
});
