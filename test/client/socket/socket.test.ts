import { getEventListeners } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ConnectRefused } from '../../../client/errors/connect-refused.ts';
import { ConnectionEnded } from '../../../client/errors/connection-ended.ts';
import type { OncegateSocketOptions } from '../../../client/options.ts';
import type { StateChange } from '../../../client/socket/events.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { freePort } from '../../support/machine/free-port.ts';
import { until } from '../../support/machine/wait.ts';
import { ask } from '../../support/services/ticket-client.ts';
import { SOON, type Stage, setStage } from '../stage.ts';

interface Watched {
  readonly socket: OncegateSocket;
  /** Every change of state. */
  readonly changes: readonly StateChange[];
  /** The types of all other events, in order. */
  readonly events: string[];
  readonly messages: readonly unknown[];
  /** Resolves with the next change to a state. */
  next(state: StateChange['state']): Promise<StateChange | undefined>;
}

function watch(options: OncegateSocketOptions): Watched {
  const socket = new OncegateSocket(options);
  onTestFinished(() => socket.close());
  const changes: StateChange[] = [];
  const events: string[] = [];
  const messages: unknown[] = [];
  socket.addEventListener('statechange', (change) => changes.push(change));
  socket.addEventListener('message', ({ data }) => messages.push(data));
  for (const type of ['open', 'error', 'close']) socket.addEventListener(type, () => events.push(type));
  return {
    socket,
    changes,
    events,
    messages,
    async next(state) {
      const seen = changes.length;
      const find = () => changes.slice(seen).find((change) => change.state === state);
      await until(find, { what: `it is ${state}` });
      return find();
    },
  };
}

const statesOf = ({ changes }: Watched) => changes.map(({ state }) => state);

const fixRandomAtHalf = () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  onTestFinished(() => random.mockRestore());
};

async function opened(stage: Stage, options: Partial<OncegateSocketOptions> = {}): Promise<Watched> {
  const watched = watch({ ...stage.options, ...SOON, ...options });
  await until(() => watched.messages.length > 0, { what: 'the hello' });
  return watched;
}

describe('an OncegateSocket', () => {
  test('opens, passes messages on, and closes with the given code and reason', async () => {
    const stage = await setStage();
    const watched = await opened(stage, { path: '/room/7' });
    const { socket, messages, events } = watched;
    const [id] = stage.issued();
    expect(watched.changes.map(({ state, reason, ticketId }) => [state, reason, ticketId])).toEqual([
      ['issuing', undefined, undefined],
      ['connecting', undefined, id],
      ['open', undefined, undefined],
    ]);
    expect(socket).toMatchObject({
      readyState: OncegateSocket.OPEN,
      url: `ws://127.0.0.1:${stage.gate.port}/~${id}/room/7`,
      protocol: 'oncegate.v1',
      extensions: '',
      state: 'open',
      ticketId: id,
    });
    expect(messages).toHaveLength(1);
    socket.send('hello');
    await until(() => messages[1] === 'hello');

    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
    socket.close(4001, 'see you');
    expect(await closed).toMatchObject({ code: 4001, reason: 'see you', wasClean: true });
    expect(events).toEqual(['open', 'close']);
    expect(statesOf(watched).slice(3)).toEqual(['closing', 'closed']);
    await until(async () => {
      const { body } = await ask(stage.tickets, `/tickets/${id}`);
      return expect(body).toMatchObject({ state: 'closed', close: { code: 4001, reason: 'see you' } }) ?? true;
    });
    expect(stage.issued()).toHaveLength(1);
  });

  test('does nothing before the caller has added its listeners', async () => {
    const { options, issued } = await setStage();
    const watched = watch(options);
    expect([watched.socket.readyState, watched.socket.state, watched.changes]).toEqual([0, 'issuing', []]);
    watched.socket.close();
    await watched.next('closed');
    expect(statesOf(watched)).toEqual(['closing', 'closed']);
    expect(issued()).toEqual([]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'fires no open event after close(), %i turns after the connection has opened',
    async (turns) => {
      const stage = await setStage();
      let opening = () => {};
      class Observed extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols);
          this.addEventListener('open', () => opening());
        }
      }
      const watched = watch({ ...stage.options, WebSocket: Observed });
      const { socket, events } = watched;
      opening = async () => {
        for (let turn = 0; turn < turns; turn += 1) await null;
        socket.close();
        events.splice(0);
      };
      await watched.next('closed');
      expect(statesOf(watched).slice(-2)).toEqual(['closing', 'closed']);
      expect(events).not.toContain('open');
      expect(stage.opened()).toBe(1);
      await until(async () => (await stage.gateway.metric('oncegate_connections_open')) === 0);
    },
  );

  test.each(['issuing', 'connecting', 'signing_in', 'waiting'] as const)(
    'ends at once if it is closed in the state %s',
    async (state) => {
      const stage = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${await freePort()}` } });
      const watched = watch({
        ...stage.options,
        ...(state === 'signing_in' && { headers: {}, onUnauthenticated: () => new Promise<void>(() => {}) }),
        backoff: { baseMs: 3_600_000, maxMs: 3_600_000 },
      });
      watched.socket.addEventListener('statechange', (change) => {
        if (change.state === state) watched.socket.close();
      });
      await watched.next('closed');
      expect(statesOf(watched).slice(-3)).toEqual([state, 'closing', 'closed']);
      expect(watched.events).toEqual(['error', 'close']);
    },
  );

  test('fires no open event, and no message, after a listener has closed it', async () => {
    const stage = await setStage();
    const watched = watch(stage.options);
    watched.socket.addEventListener('statechange', ({ state }) => {
      if (state === 'open') watched.socket.close(1000);
    });
    await watched.next('closed');
    expect([watched.events, watched.messages]).toEqual([['close'], []]);
  });

  test('closes when its signal is aborted', async () => {
    const controller = new AbortController();
    const watched = await opened(await setStage(), { signal: controller.signal });
    controller.abort();
    expect(watched.socket.readyState).toBe(OncegateSocket.CLOSING);
    await watched.next('closed');
    expect(watched.events).toEqual(['open', 'close']);
  });

  test('ends with the reason of a signal that is aborted already', async () => {
    const { options, issued } = await setStage();
    const watched = watch({ ...options, signal: AbortSignal.abort('too late') });
    expect((await watched.next('closed'))?.reason).toBe('too late');
    expect(issued()).toEqual([]);
  });

  test('fires an error that says why it never opened', async () => {
    const stage = await setStage({ gateway: { GATEWAY_AUDIENCE: 'chat' } });
    const watched = watch({ ...stage.options, ...SOON, audience: 'news' });
    const error = await new Promise<unknown>((resolve) => {
      watched.socket.onerror = (event) => resolve(event.error);
    });
    expect(error).toBeInstanceOf(ConnectRefused);
    expect(error).toMatchObject({ code: 'audience_refused', ticketId: stage.issued()[0] });
    expect(watched.changes.at(-1)).toMatchObject({ state: 'closed', reason: error });
    expect(watched.events).toEqual(['error', 'close']);
    expect(stage.issued()).toHaveLength(1);
  });

  test('ends after the last of its attempts, with a wait between them', async () => {
    const stage = await setStage({ tickets: { GATEWAY_URL: `ws://127.0.0.1:${await freePort()}` } });
    const watched = watch({ ...stage.options, ...SOON, attempts: 2 });
    await watched.next('closed');
    expect(statesOf(watched)).toEqual(['issuing', 'connecting', 'waiting', 'issuing', 'connecting', 'closed']);
    expect(watched.changes.at(-1)?.reason).toMatchObject({ code: 'not_seen' });
    expect(new Set(stage.issued()).size).toBe(2);
  });
});

describe('an OncegateSocket whose connection ends', () => {
  test('opens another one, with a new ticket', async () => {
    const stage = await setStage();
    const watched = await opened(stage);
    const { socket, changes, messages, events } = watched;
    stage.gate.cut();
    const reason = (await watched.next('waiting'))?.reason;
    expect(socket.readyState).toBe(OncegateSocket.CONNECTING);
    expect(reason).toBeInstanceOf(ConnectionEnded);
    expect(reason).toMatchObject({ code: 'closed', closeCode: 1006 });
    stage.gate.restore();
    await until(() => messages.length === 2, { what: 'the second hello' });

    expect(socket.readyState).toBe(OncegateSocket.OPEN);
    expect(events).toEqual(['open', 'open']);
    const used = changes.flatMap(({ ticketId }) => ticketId ?? []);
    expect(used).toEqual(stage.issued());
    expect(new Set(used).size).toBe(used.length);
    expect(socket.ticketId).toBe(used.at(-1));
  });

  test('comes back to a draining gateway within a second, whatever its spread', async () => {
    fixRandomAtHalf();
    const stage = await setStage({ gateway: { DRAIN_SECONDS: '60' } });
    const watched = await opened(stage);
    void stage.gateway.service.drain();
    expect(await watched.next('waiting')).toMatchObject({
      reason: { code: 'draining', closeCode: 1012, spreadSeconds: undefined },
      waitMs: 0.5,
    });
  });

  test('waits longer each time, until a connection has lasted', async () => {
    fixRandomAtHalf();
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const stage = await setStage();
    const watched = await opened(stage, { backoff: { baseMs: 4 } });
    const waits: unknown[] = [];
    for (const lastedMs of [0, 0, 60_000]) {
      vi.setSystemTime(Date.now() + lastedMs);
      const waiting = watched.next('waiting');
      const open = watched.next('open');
      stage.gate.cut();
      stage.gate.restore();
      waits.push((await waiting)?.waitMs);
      await open;
    }
    expect(waits).toEqual([4, 8, 4]);
  });

  test('closes with code and reason of a final end', async () => {
    const stage = await setStage();
    const { signal } = new AbortController();
    const watched = await opened(stage, { signal });
    const closed = new Promise<CloseEvent>((resolve) => watched.socket.addEventListener('close', resolve));
    await ask(stage.tickets, `/tickets/${watched.socket.ticketId}`, { method: 'DELETE' });
    expect(await closed).toMatchObject({ type: 'close', code: 3003, reason: 'revoked', wasClean: true });
    expect(watched.changes.at(-1)).toMatchObject({ state: 'closed', reason: { code: 'revoked', retry: 'never' } });
    expect(watched.events).toEqual(['open', 'close']);
    expect(stage.issued()).toHaveLength(1);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('comes back, or not, as shouldReconnect says', async () => {
    const stage = await setStage();
    const asked: string[] = [];
    const watched = await opened(stage, {
      shouldReconnect: ({ code }) => {
        asked.push(code);
        return code === 'revoked';
      },
    });
    const open = watched.next('open');
    await ask(stage.tickets, `/tickets/${watched.socket.ticketId}`, { method: 'DELETE' });
    await open;
    stage.gate.cut();
    await watched.next('closed');
    expect(asked).toEqual(['revoked', 'closed']);
    expect(watched.events).toEqual(['open', 'open', 'error', 'close']);
    expect(stage.issued()).toHaveLength(2);
  });
});

describe('an OncegateSocket whose path goes silent', () => {
  test('notices it by its record, and comes back', async () => {
    const stage = await setStage({ gateway: { HEARTBEAT_SECONDS: '1' } });
    const watched = await opened(stage, { heartbeatSeconds: 0.2 });
    const waiting = watched.next('waiting');
    const open = watched.next('open');
    stage.gate.silence();
    expect((await waiting)?.reason).toMatchObject({ code: 'heartbeat_missed', closeCode: 3008 });
    await open;
    watched.socket.send('back');
    await until(() => watched.messages.includes('back'));
    expect(stage.issued()).toHaveLength(2);
  });

  test('ends if it was revoked meanwhile', async () => {
    const stage = await setStage();
    const watched = await opened(stage, { heartbeatSeconds: 0.2 });
    stage.gate.silence();
    const closed = watched.next('closed');
    await ask(stage.tickets, `/tickets/${watched.socket.ticketId}`, { method: 'DELETE' });
    expect((await closed)?.reason).toMatchObject({ code: 'revoked' });
    expect(watched.events).toEqual(['open', 'error', 'close']);
  });
});

describe('an OncegateSocket without a network', () => {
  test('pauses offline, and goes on when the network is back', async () => {
    const stage = await setStage();
    const watched = await opened(stage);
    const browser = { onLine: false };
    vi.stubGlobal('navigator', browser);
    onTestFinished(() => void vi.unstubAllGlobals());
    const paused = watched.next('paused');
    stage.gate.cut();
    stage.gate.restore();
    await paused;
    expect(watched.socket.readyState).toBe(OncegateSocket.CONNECTING);
    expect(stage.issued()).toHaveLength(1);
    const open = watched.next('open');
    browser.onLine = true;
    await open;
    expect(statesOf(watched).slice(3)).toEqual(['waiting', 'paused', 'issuing', 'connecting', 'open']);
  });

  test('pauses from freeze to resume of its page', async () => {
    const page = new EventTarget();
    vi.stubGlobal('document', page);
    onTestFinished(() => void vi.unstubAllGlobals());
    vi.resetModules();
    const { OncegateSocket: InPage } = await import('../../../client/socket/socket.ts');
    const stage = await setStage();
    page.dispatchEvent(new Event('freeze'));
    const socket = new InPage(stage.options);
    onTestFinished(() => socket.close());
    await until(() => socket.state === 'paused');
    expect(stage.issued()).toEqual([]);
    page.dispatchEvent(new Event('resume'));
    await until(() => socket.state === 'open');
  });
});
