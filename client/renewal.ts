import { nextWaitMs } from './backoff.ts';
import type { Connector } from './connector.ts';
import { ConnectRefused } from './refused.ts';
import { sleep } from './sleep.ts';

/** Between two requests about one session at least. */
const PAUSE_MS = 1_000;

/**
 * Renews the session of an open connection over HTTP, `renewBefore` seconds before its end, for as long
 * as that is granted. Whatever ends it quietly leaves the rest to the gateway, which closes with 3000.
 *
 * @param openedAt this machine's time when the connection opened, Unix ms
 */
export async function keepRenewed(
  connector: Connector<unknown>,
  ticketId: string,
  renewBefore: number,
  openedAt: number,
  signal: AbortSignal,
): Promise<void> {
  const { service } = connector;
  let ahead: number | undefined; // how far the service's clock is ahead of this machine's, ms
  let endsAt: string | null = null;
  for (let failures = 0; ; ) {
    try {
      if (ahead === undefined) {
        const record = await service.read(ticketId);
        ahead = Date.parse(`${record.opened_at}`) - openedAt;
        endsAt = record.session_expires_at;
      } else {
        ({ session_expires_at: endsAt } = await service.renew(ticketId));
      }
      failures = 0;
      connector.granted();
      const left = Date.parse(`${endsAt}`) - ahead - Date.now();
      await sleep(Math.max(PAUSE_MS, left - renewBefore * 1000), signal);
    } catch (error) {
      if (!(error instanceof ConnectRefused)) throw error;
      if (await connector.signIn(error)) continue;
      const waitMs = nextWaitMs(error, ++failures, {}, Math.random());
      if (waitMs === null) return;
      await sleep(Math.max(PAUSE_MS, waitMs), signal);
    }
  }
}
