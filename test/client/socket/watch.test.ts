import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ConnectRefused } from '../../../client/errors/connect-refused.ts';
import { untilLost } from '../../../client/socket/watch.ts';
import type { TicketService } from '../../../client/tickets/ticket-service.ts';

const HEARTBEAT_MS = 30_000;

/** What the page, or a worker, fires its events on. */
let page: EventTarget;

beforeEach(() => {
  page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
});

function watch(records: ReadonlyArray<object | Error>) {
  const looks: number[] = [];
  const startedAt = Date.now();
  const record = async () => {
    const answer = records[Math.min(looks.push(Date.now() - startedAt), records.length) - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const socket = new EventTarget();
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const service = { record } as unknown as TicketService; // nothing else is used
  const lost = untilLost(service, 'id', socket as WebSocket, HEARTBEAT_MS, over.signal);
  lost.catch(() => {});
  return { looks, socket, lost, over };
}

const OPEN = { state: 'open', close: null };
const MISSED = { state: 'closed', close: { code: 3008, reason: 'heartbeat_missed' } };

describe('a connection on which nothing is heard', () => {
  test('is looked at after two to three heartbeats, and again after as long', async () => {
    const { looks } = watch([OPEN]);
    await vi.advanceTimersByTimeAsync(2 * HEARTBEAT_MS - 1);
    expect(looks).toEqual([]);
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS + 1);
    expect(looks).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10 * 3 * HEARTBEAT_MS);
    expect(looks.length).toBeGreaterThanOrEqual(11);
    expect(looks.length).toBeLessThanOrEqual(16);
  });

  test('is looked at at another time by each client', async () => {
    const clients = Array.from({ length: 50 }, () => watch([OPEN]));
    await vi.advanceTimersByTimeAsync(3 * HEARTBEAT_MS);
    const times = clients.map(({ looks }) => looks[0]);
    expect(new Set(times).size).toBeGreaterThan(40);
  });

  test.each([
    ['closed', MISSED, { code: 3008, reason: 'heartbeat_missed' }],
    ['revoked, and its end is not known', { state: 'revoked', close: null }, { code: 1006, reason: '' }],
  ])('is lost if its record is %s', async (_, record, closing) => {
    const { lost, looks } = watch([OPEN, record]);
    await vi.advanceTimersByTimeAsync(6 * HEARTBEAT_MS);
    expect(await lost).toEqual({ ...closing, wasClean: false });
    expect(looks).toHaveLength(2);
  });

  test.each([
    ['nobody answers', new ConnectRefused('service_unreachable')],
    ['nobody is signed in', new ConnectRefused('credentials_missing', { status: 401 })],
    ['a proxy has taken it over', { state: 'handed_over', close: null }],
  ])('is not lost if %s', async (_, answer) => {
    const { lost, looks } = watch([answer, answer, MISSED]);
    await vi.advanceTimersByTimeAsync(6 * HEARTBEAT_MS);
    expect(looks.length).toBeGreaterThanOrEqual(2);
    await vi.advanceTimersByTimeAsync(3 * HEARTBEAT_MS);
    expect(await lost).toMatchObject({ code: 3008 });
  });

  test('is not looked at while messages come', async () => {
    const { looks, socket } = watch([OPEN]);
    for (let message = 0; message < 100; message += 1) {
      await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
      socket.dispatchEvent(new Event('message'));
    }
    expect(looks).toEqual([]);
  });
});

describe('a page that comes back', () => {
  test.each(['online', 'pageshow', 'visibilitychange'])('looks within a second after %s', async (type) => {
    const { lost, looks } = watch([MISSED]);
    await vi.advanceTimersByTimeAsync(7_000);
    page.dispatchEvent(new Event(type));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await lost).toMatchObject({ code: 3008 });
    expect(looks).toHaveLength(1);
  });

  test('does not look while it is hidden', async () => {
    vi.stubGlobal('document', { hidden: true });
    const { looks } = watch([OPEN]);
    page.dispatchEvent(new Event('visibilitychange'));
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
    expect(looks).toEqual([]);
  });

  test('looks no more often than every five seconds, whatever happens', async () => {
    const { looks } = watch([OPEN]);
    for (let second = 0; second < 60; second += 1) {
      page.dispatchEvent(new Event('online'));
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(looks.length).toBeLessThanOrEqual(12);
    expect(looks.length).toBeGreaterThan(0);
  });

  test('is not listened to once the connection has ended', async () => {
    const { looks, over } = watch([OPEN]);
    over.abort();
    await vi.advanceTimersByTimeAsync(0);
    page.dispatchEvent(new Event('online'));
    await vi.advanceTimersByTimeAsync(3 * HEARTBEAT_MS);
    expect(looks).toEqual([]);
  });
});
