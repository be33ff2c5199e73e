import { test as base, expect, onTestFinished, vi } from 'vitest';
import { Presence } from '../../../../services/gateway/connections/presence.ts';
import type { GatewayStatus, TicketStore } from '../../../../shared/store/store.ts';

/** As Redis keeps it: who announces a gateway replaces its announcement. */
function announcements() {
  const kept = new Map<string, GatewayStatus>();
  const store = {
    ready: true,
    async announce(status: GatewayStatus) {
      const replaced = kept.get(status.gatewayId)?.startedAt;
      kept.set(status.gatewayId, status);
      return replaced;
    },
    async withdraw(id: string) {
      kept.delete(id);
    },
  } as Partial<TicketStore> as TicketStore; // all that is called
  return store;
}

const test = base.extend<{ clock: undefined }>({
  clock: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest asks for the pattern
    async ({}, use) => {
      vi.useFakeTimers();
      await use(undefined);
      vi.useRealTimers();
    },
    { auto: true },
  ],
});

function start(store: TicketStore, gatewayId: string) {
  const onShared = vi.fn();
  const presence = new Presence({ store, onShared, status: () => ({ gatewayId, connections: 0, draining: false }) });
  onTestFinished(() => presence.end());
  return { presence, onShared };
}

test('two gateways of one id both find out, and say so once', async () => {
  const store = announcements();
  const first = start(store, 'gateway-1');
  await vi.advanceTimersByTimeAsync(3_000);
  const second = start(store, 'gateway-1');
  await vi.advanceTimersByTimeAsync(60_000);

  expect(first.onShared).toHaveBeenCalledTimes(1);
  expect(second.onShared).toHaveBeenCalledTimes(1);
});

test('gateways with an id of their own say nothing', async () => {
  const store = announcements();
  const both = [start(store, 'gateway-1'), start(store, 'gateway-2')];
  await vi.advanceTimersByTimeAsync(60_000);

  for (const { onShared } of both) expect(onShared).not.toHaveBeenCalled();
});

test('a gateway that comes back under its id says nothing, although its old announcement is still there', async () => {
  const store = announcements();
  await store.announce({ gatewayId: 'gateway-1', startedAt: 1, version: '1', connections: 9, draining: false });
  await vi.advanceTimersByTimeAsync(3_000);
  const { onShared } = start(store, 'gateway-1');
  await vi.advanceTimersByTimeAsync(60_000);

  expect(onShared).not.toHaveBeenCalled();
});
