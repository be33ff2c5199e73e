import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../../../client/connect/connect.ts';
import { ConnectRefused } from '../../../client/errors/connect-refused.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { freePort } from '../../support/machine/free-port.ts';
import { nextMessage, open, refusalOf, SOON, setStage, startSilentServer } from '../stage.ts';

/** Throws as a browser's class does for `ws:` on a page of `https:`. */
class Refusing {
  constructor() {
    throw new DOMException('An insecure WebSocket', 'SecurityError');
  }
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

  test('puts the ticket id into the path, the ticket into a subprotocol, and keeps path, claims and protocols of the application', async () => {
    const stage = await setStage();
    const socket = await open({
      ...stage.options,
      path: async () => '/room/7?seat=3',
      claims: () => ({ role: 'guest' }),
      protocols: 'chat.v1',
    });
    expect(socket.url).toBe(`ws://127.0.0.1:${stage.gate.port}/~${stage.issued()[0]}/room/7?seat=3`);
    expect(socket.protocol).toBe('chat.v1');
    expect(JSON.parse(await nextMessage(socket))).toMatchObject({ claims: {}, client_claims: { role: 'guest' } });
  });

  test('rejects with the reason of a refusal, after one attempt', async () => {
    const { options, issued, gateway } = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const refused = await refusalOf({ ...options, audience: 'news' });
    expect(refused).toMatchObject({ code: 'audience_refused', status: 403, retry: 'never', ticketId: issued()[0] });
    expect(issued()).toHaveLength(1);
    expect(await gateway.metric('oncegate_handshakes_total{outcome="audience_refused"}')).toBe(1);
  });

  test('gets a fresh ticket, and calls its providers, for every attempt', async () => {
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

  test('stops at the first final refusal, even if attempts are left', async () => {
    const { options, issued } = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    await refusalOf({ ...options, ...SOON, audience: 'news', attempts: 5 });
    expect(issued()).toHaveLength(1);
  });

  test('opens once the gateway can be reached again', async () => {
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

  test('waits as long as Retry-After says before it gets the next ticket', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let asked = 0;
    const refused = connect({
      WebSocket,
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

  test('closes a socket that does not open in time', async () => {
    const silent = await startSilentServer();
    const { options } = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${silent.port}` } });
    expect(await refusalOf({ ...options, timeoutMs: 300 })).toMatchObject({ code: 'not_seen' });
    await vi.waitFor(() => expect(silent.connections()).toBe(0));
  });

  test.each([
    ['none is given and none is global', undefined],
    ['the given one is the exports of a module', { WebSocket }],
    ['the given one is a socket', Object.create(WebSocket.prototype)],
  ])('throws a TypeError before any request if there is no WebSocket class: %s', async (_, given) => {
    const { options, issued } = await setStage();
    vi.stubGlobal('WebSocket', undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
    const asked: unknown[] = [];
    const rest = { ...options, WebSocket: given as never, attempts: 3 }; // JavaScript may pass anything
    const none = new TypeError('Pass a WebSocket class');
    await expect(connect(rest)).rejects.toThrow(none);
    const tickets = async (request: object) => asked.push(request) as never;
    await expect(connect({ ...rest, tickets })).rejects.toThrow(none);
    expect([asked, issued()]).toEqual([[], []]);
  });

  test.each([
    ['its class throws', Refusing as never, '/', 'SecurityError'],
    ['its address has a fragment', WebSocket, '/room?seat=3#7', 'SyntaxError'],
  ] as const)('rejects with a final not_seen that says why if %s', async (_, Class, path, name) => {
    const { options, issued } = await setStage();
    const refused = await refusalOf({ ...options, ...SOON, WebSocket: Class, path, attempts: 3 });
    expect(refused).toMatchObject({ code: 'not_seen', status: undefined, retry: 'never', ticketId: issued()[0] });
    expect(refused.cause).toMatchObject({ name });
    expect(refused.message).toBe(`not_seen: ${refused.cause}`);
    expect(issued()).toHaveLength(1);
  });

  test.each(['/x?ticket=12', '/x?a=1&ticket', '/?b=?&%74icket=', '/x??ticket=1'])(
    'refuses the path %s, which has a ticket, before any request',
    async (path) => {
      const { options, issued, gateway } = await setStage();
      const refused = new TypeError('path: no `ticket` in its query');
      await expect(connect({ ...options, path, attempts: 3 })).rejects.toThrow(refused);
      await expect(connect({ ...options, path: async () => path })).rejects.toThrow(refused);
      expect(issued()).toEqual([]);
      expect(gateway.log.filter(({ event }) => event === 'refuse')).toEqual([]);
    },
  );

  test.each(['/ticket=1', '/x?tickets=1&my.ticket=2&Ticket=3', '/a&ticket=1', '/x?a=?ticket=1', '/x?'])(
    'accepts the path %s, which has no ticket',
    async (path) => {
      const { options } = await setStage();
      expect((await open({ ...options, path })).readyState).toBe(1);
    },
  );

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

describe('a user who is not signed in', () => {
  test('signs in once, and the attempt goes on with the new credentials', async () => {
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

  test('is refused for good if the second credentials are no better', async () => {
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

  test('is asked again after a request has succeeded', async () => {
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
        // 1: the first attempt; 2: the same again after the login; 3: the second attempt.
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

  describe('any more when the client asks why an attempt failed', () => {
    /** A gateway that cannot be reached, and credentials that are refused for the second request only. */
    async function signedOut() {
      const stage = await setStage();
      stage.gate.cut();
      const good = await bearer('ada');
      let requests = 0;
      const headers = () => {
        requests += 1;
        return { Authorization: requests === 2 ? 'Bearer expired' : good };
      };
      return { ...stage, options: { ...stage.options, ...SOON, headers } };
    }

    test('is asked to sign in once, and the next attempt is made', async () => {
      const { options, issued, gate } = await signedOut();
      const asked: string[] = [];
      const socket = await open({
        ...options,
        attempts: 2,
        onUnauthenticated: ({ code }) => {
          asked.push(code);
          gate.restore();
        },
      });
      expect(socket.readyState).toBe(socket.OPEN);
      expect(asked).toEqual(['credentials_invalid']);
      expect(issued()).toHaveLength(2);
    });

    test('signs in, and connect rejects with unexplained, if no attempt is left', async () => {
      const { options, issued } = await signedOut();
      const asked: string[] = [];
      const refused = await refusalOf({ ...options, onUnauthenticated: ({ code }) => void asked.push(code) });
      expect(refused).toMatchObject({ code: 'unexplained', retry: 'backoff', ticketId: issued()[0] });
      expect(refused.cause).toMatchObject({ code: 'credentials_invalid', status: 401 });
      expect(asked).toEqual(['credentials_invalid']);
      expect(issued()).toHaveLength(1);
    });

    test('is not asked at all if the application gets the tickets', async () => {
      const { options, issued } = await signedOut();
      const { tickets, ...rest } = options;
      const headers = { Authorization: await bearer('ada'), 'Content-Type': 'application/json' };
      const own = (request: object) => fetch(`${tickets}`, { method: 'POST', headers, body: JSON.stringify(request) });
      const asked: string[] = [];
      const refused = await refusalOf({
        ...rest,
        attempts: 3,
        tickets: own,
        records: `${tickets}`,
        headers: { Authorization: 'Bearer expired' },
        onUnauthenticated: ({ code }) => void asked.push(code),
      });
      expect(refused).toMatchObject({ code: 'unexplained' });
      expect(issued()).toHaveLength(3);
      expect(asked).toEqual([]);
    });
  });

  test('and refuses to sign in makes connect reject with the error of onUnauthenticated', async () => {
    const { options } = await setStage();
    const cancelled = new Error('cancelled');
    const onUnauthenticated = () => Promise.reject(cancelled);
    await expect(connect({ ...options, headers: {}, onUnauthenticated })).rejects.toBe(cancelled);
  });

  test('is refused at once if the application has no login', async () => {
    const { options } = await setStage();
    expect(await refusalOf({ ...options, headers: {} })).toMatchObject({ code: 'credentials_missing', status: 401 });
  });
});
