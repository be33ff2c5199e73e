import type { Connector } from '../connect/connector.ts';
import { ConnectRefused } from '../errors/connect-refused.ts';
import type { TicketRecord } from '../tickets/ticket-record.ts';
import { nextWaitMs } from '../waiting/backoff.ts';
import { sleep } from '../waiting/sleep.ts';

/** The shortest time between two requests for one session. */
const MIN_WAIT_MS = 1_000;

/**
 * Renews the session of an open connection over HTTP, `renewBefore` seconds before each end, for as long as that is
 * granted. When it resolves, the rest is up to the gateway, which closes with 3000. Call it as soon as the connection
 * is open: from that moment it learns how far the service's clock differs.
 *
 * @param signal aborted when the connection has ended
 * @throws the signal's reason
 */
export async function keepRenewed<Socket>(
  connector: Connector<Socket>,
  ticketId: string,
  renewBefore: number,
  signal: AbortSignal,
): Promise<void> {
  const { service } = connector;
  const openedAt = Date.now();
  let aheadMs: number | undefined; // how far the service's clock is ahead of this one
  let failures = 0;
  while (!signal.aborted) {
    let waitMs: number | null;
    try {
      const record: TicketRecord = await (aheadMs === undefined ? service.record(ticketId) : service.renew(ticketId));
      aheadMs ??= timeOf(record.opened_at) - openedAt;
      failures = 0;
      waitMs = untilRenewalMs(timeOf(record.session_expires_at) - aheadMs, renewBefore);
    } catch (error) {
      if (!(error instanceof ConnectRefused)) throw error;
      if (await connector.signIn(error)) continue;
      failures += 1;
      waitMs = nextWaitMs(error, failures, {}, Math.random());
    }
    if (waitMs === null) return;
    await sleep(Math.max(MIN_WAIT_MS, waitMs), signal);
  }
}

/** A time of the service, in Unix milliseconds; NaN if there is none. */
function timeOf(text: string | null): number {
  return Date.parse(text ?? '');
}

/** Milliseconds until a session is to be renewed; null if it has ended, or has no end. */
function untilRenewalMs(endsAt: number, renewBefore: number): number | null {
  const leftMs = endsAt - Date.now();
  if (!(leftMs > 0)) return null;
  const waitMs = leftMs - renewBefore * 1000;
  return waitMs > 0 ? waitMs : leftMs / 2;
}
