import type { GatewayStatus, TicketStore } from '../../shared/store/store.ts';
import { VERSION } from '../../shared/version.ts';

const REFRESH_MS = 10_000;

/** Keeps a gateway announced in the store while it runs, so that an operator can see the fleet. */
export function startPresence(
  store: TicketStore,
  status: () => Pick<GatewayStatus, 'gatewayId' | 'connections' | 'draining'>,
): { refresh(): void; end(): Promise<void> } {
  const startedAt = Date.now();
  // While the store is away nobody can look; the next refresh tells.
  const refresh = (): void => void store.announce({ ...status(), startedAt, version: VERSION }).catch(() => {});
  const timer = setInterval(refresh, REFRESH_MS);
  timer.unref();
  refresh();
  return {
    refresh,
    async end() {
      clearInterval(timer);
      await store.withdraw(status().gatewayId).catch(() => {});
    },
  };
}
