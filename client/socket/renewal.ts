import type { Connector } from '../connect/connector.ts';
import { ConnectRefused } from '../errors/connect-refused.ts';
import { nextWaitMs } from '../waiting/backoff.ts';
import { sleep } from '../waiting/sleep.ts';

/** What is told of the session of an open connection; when it was opened, on its record only. */
interface Session {
  readonly opened_at: string;
  readonly session_expires_at: string;
}

/** Between two requests about one session at least. */
const PAUSE_MS = 1_000;

/**
 * Renews the session of an open connection over HTTP, `renewBefore` seconds before its end, for as long
 * as that is granted. Whatever ends it quietly leaves the rest to the gateway, which closes with 3000.
 * To be called at the very moment when it opens.
 */
export async function keepRenewed(
  connector: Connector,
  ticketId: string | undefined,
  renewBefore: number,
  signal: AbortSignal,
): Promise<void> {
  const openedAt = Date.now();
  let ahead: number | undefined; // how far the service's clock is ahead of this machine's, ms
  for (let failures = 0; !signal.aborted; ) {
    let waitMs: number | null;
    try {
      const told: Session = await (ahead === undefined
        ? connector.ask(`/${ticketId}`)
        : connector.ask(`/${ticketId}/renew`, {}));
      ahead ??= Date.parse(told.opened_at) - openedAt;
      failures = 0;
      const leftMs = Date.parse(told.session_expires_at) - ahead - Date.now();
      if (!(leftMs > 0)) return;
      const earlyMs = leftMs - renewBefore * 1000;
      // A session that is no longer than that is renewed at half of what is left: less and less of it, but seldom.
      waitMs = earlyMs > 0 ? earlyMs : leftMs / 2;
    } catch (error) {
      if (!(error instanceof ConnectRefused)) throw error;
      if (await connector.signIn(error)) continue;
      waitMs = nextWaitMs(error, ++failures, {}, Math.random());
    }
    if (waitMs === null) return;
    await sleep(Math.max(PAUSE_MS, waitMs), signal);
  }
}
