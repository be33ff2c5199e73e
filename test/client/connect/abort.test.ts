import { getEventListeners } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { connect } from '../../../client/connect/connect.ts';
import type { ConnectOptions } from '../../../client/options.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { freePort } from '../../support/machine/free-port.ts';
import { problem, type Stage, setStage, startSilentServer } from '../stage.ts';

interface Moment {
  /** Options that lead to this moment. */
  readonly options: ConnectOptions<WebSocket>;
  /** Resolves at this moment. */
  readonly reached: Promise<unknown>;
  /** What must hold afterwards. */
  readonly after?: () => void;
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));
const never = () => new Promise<never>(() => {});

/** A function that never settles, and a promise that resolves when it is called. */
function hanging(): { readonly call: () => Promise<never>; readonly called: Promise<void> } {
  let call = never;
  const called = new Promise<void>((resolve) => {
    call = () => {
      resolve();
      return never();
    };
  });
  return { call, called };
}

/** Each moment at which the client may be aborted. */
const moments: Readonly<Record<string, (stage: Stage) => Promise<Moment> | Moment>> = {
  'a provider is called': () => {
    const { call, called } = hanging();
    return { options: { path: call }, reached: called };
  },
  'the headers are provided': () => {
    const { call, called } = hanging();
    return { options: { headers: call }, reached: called };
  },
  'the application gets a ticket': () => {
    const { call, called } = hanging();
    return { options: { tickets: call }, reached: called };
  },
  'the ticket service is asked': async () => {
    const silent = await startSilentServer();
    return {
      options: { tickets: `http://127.0.0.1:${silent.port}` },
      reached: vi.waitFor(() => expect(silent.connections()).toBe(1)),
    };
  },
  'the user signs in': () => {
    const { call, called } = hanging();
    return { options: { headers: {}, onUnauthenticated: call }, reached: called };
  },
  'the socket opens': async () => {
    const silent = await startSilentServer();
    return {
      options: {
        tickets: async () => ({ id: 'an-id', url: `ws://127.0.0.1:${silent.port}`, protocols: ['oncegate.v1'] }),
      },
      reached: vi.waitFor(() => expect(silent.connections()).toBe(1)),
      after: () => expect(silent.connections()).toBe(0),
    };
  },
  'the reason is asked for': async () => {
    const silent = await startSilentServer();
    const url = `ws://127.0.0.1:${await freePort()}`;
    return {
      options: {
        tickets: async () => ({ id: 'an-id', url, protocols: ['oncegate.v1'] }),
        records: `http://127.0.0.1:${silent.port}`,
      },
      reached: vi.waitFor(() => expect(silent.connections()).toBe(1)),
    };
  },
  'the client waits for the next attempt': () => {
    let asked = 0;
    const tickets = async () => {
      asked += 1;
      return problem(429, { code: 'rate_limited', retry_after: 3_600 });
    };
    const reached = async () => {
      await vi.waitFor(() => expect(asked).toBe(1));
      await turn(); // the answer is read
    };
    return { options: { tickets, attempts: 2 }, reached: reached() };
  },
  'the client waits for the network': () => {
    vi.stubGlobal('navigator', { onLine: false });
    onTestFinished(() => void vi.unstubAllGlobals());
    return { options: {}, reached: turn() };
  },
};

test.each(Object.keys(moments))('connect rejects with the reason of its signal while %s', async (name) => {
  const stage = await setStage();
  const { options, reached, after } = (await moments[name]?.(stage)) ?? { options: {}, reached: never() };
  const controller = new AbortController();
  const refused = connect({ ...stage.options, ...options, signal: controller.signal }).catch((error: unknown) => error);
  await reached;
  controller.abort('enough');

  expect(await refused).toBe('enough');
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  if (after) await vi.waitFor(after);
  expect(stage.opened()).toBe(0);
});

test.each(Object.keys(moments))('close() ends a socket while %s', async (name) => {
  const stage = await setStage();
  const { options, reached, after } = (await moments[name]?.(stage)) ?? { options: {}, reached: never() };
  const controller = new AbortController();
  const socket = new OncegateSocket({ ...stage.options, ...options, signal: controller.signal });
  const events: string[] = [];
  for (const type of ['open', 'error', 'close'] as const) socket.addEventListener(type, () => events.push(type));
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
  await reached;
  socket.close(1000, 'enough');
  expect([socket.readyState, socket.state]).toEqual([OncegateSocket.CLOSING, 'closing']);
  expect(events).toEqual([]);

  expect(await closed).toMatchObject({ code: 1006, reason: '', wasClean: false });
  expect([socket.readyState, socket.state]).toEqual([OncegateSocket.CLOSED, 'closed']);
  expect(events).toEqual(['error', 'close']);
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  if (after) await vi.waitFor(after);
  expect(stage.opened()).toBe(0);
});

test('connect makes no request if its signal is aborted already', async () => {
  const { options, issued } = await setStage();
  let asked = 0;
  const path = () => {
    asked += 1;
    return '/';
  };
  await expect(connect({ ...options, path, signal: AbortSignal.abort('too late') })).rejects.toBe('too late');
  expect([asked, issued()]).toEqual([0, []]);
});

test('connect leaves no listener on a signal that is never aborted', async () => {
  const { options } = await setStage();
  const { signal } = new AbortController();
  const socket = await connect({ ...options, signal });
  onTestFinished(() => socket.terminate());
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
