import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { IssuedTicket } from '../../client/options.ts';
import { freePort } from '../support/free-port.ts';
import { bearer } from '../support/services.ts';
import { nextMessage, open, problem, refusalOf, SOON, type Stage, setStage } from './connect-stage.ts';

/** A ticket of a service, as an application would hand it on. */
async function issue({ options }: Stage, wish: object = {}): Promise<Response> {
  return fetch(options.tickets, {
    method: 'POST',
    headers: { Authorization: await bearer('ada'), 'Content-Type': 'application/json' },
    body: JSON.stringify(wish),
  });
}

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
