import { expect, onTestFinished, test, vi } from 'vitest';
import { Connector } from '../../../client/connect/connector.ts';
import { ConnectRefused } from '../../../client/errors/connect-refused.ts';
import { keepRenewed } from '../../../client/socket/renewal.ts';

const OPENED_AT = Date.parse('2026-11-22T07:40:00.000Z');

/** A ticket service whose clock is an hour ahead. `sessionMs` is the end of the session, from the opening on. */
function serve(sessionMs: () => number) {
  vi.useFakeTimers({ now: OPENED_AT });
  onTestFinished(() => void vi.useRealTimers());
  const renewedAfterMs: number[] = [];
  const serviceTime = (ms: number) => new Date(OPENED_AT + 3_600_000 + ms).toISOString();
  vi.stubGlobal('fetch', async (address: string) => {
    if (address.endsWith('/renew')) renewedAfterMs.push(Date.now() - OPENED_AT);
    return Response.json({ id: 'an-id', opened_at: serviceTime(0), session_expires_at: serviceTime(sessionMs()) });
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  const { signal } = new AbortController();
  const connector = new Connector({}, signal);
  const done = (renewBefore: number) => keepRenewed(connector, 'an-id', renewBefore, signal);
  return { renewedAfterMs, done };
}

test('a session is renewed renewBefore seconds before each end, even if the service has another time', async () => {
  const { renewedAfterMs, done } = serve(() => Date.now() - OPENED_AT + 100_000);
  void done(10);
  await vi.advanceTimersByTimeAsync(300_000);
  expect(renewedAfterMs).toEqual([90_000, 180_000, 270_000]);
});

test('a session that no renewal makes longer is renewed a few more times, and then no more', async () => {
  const { renewedAfterMs, done } = serve(() => 64_000);
  const over = done(32);
  await vi.advanceTimersByTimeAsync(120_000);
  await over;
  expect(renewedAfterMs.slice(0, 4)).toEqual([32_000, 48_000, 56_000, 60_000]);
  expect(renewedAfterMs.length).toBeLessThan(9);
});

test('a session that is no longer than renewBefore is renewed at half of it', async () => {
  const { renewedAfterMs, done } = serve(() => Date.now() - OPENED_AT + 20_000);
  void done(60);
  await vi.advanceTimersByTimeAsync(45_000);
  expect(renewedAfterMs).toEqual([10_000, 20_000, 30_000, 40_000]);
});

test('a second request that needs a login waits for the one under way', async () => {
  const asked: ConnectRefused[] = [];
  let signedIn = () => {};
  const onUnauthenticated = (refused: ConnectRefused) => {
    asked.push(refused);
    return new Promise<void>((resolve) => {
      signedIn = resolve;
    });
  };
  const connector = new Connector({ onUnauthenticated }, new AbortController().signal);
  const refused = new ConnectRefused('credentials_invalid', { status: 401 });
  const both = [
    connector.signIn(refused),
    connector.signIn(new ConnectRefused('credentials_missing', { status: 401 })),
  ];
  signedIn();
  expect(await Promise.all(both)).toEqual([true, true]);
  expect(asked).toEqual([refused]);
  expect(await connector.signIn(refused)).toBe(false);
});
