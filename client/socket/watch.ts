import { ConnectRefused } from '../errors/connect-refused.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import { sleep } from '../waiting/sleep.ts';
import type { Closing } from './events.ts';

/** The longest random wait in front of a look that an event asks for: a network comes back for many at once. */
const SPREAD_MS = 1_000;

/** The shortest time between two looks. */
const MIN_GAP_MS = 5_000;

/** Events after which a connection may be dead: the page was asleep, or the network was away. */
const WAKING = ['visibilitychange', 'pageshow', 'online'];

/**
 * Notices that an open connection has ended although no Close frame came, as on a path that has gone silent. No script
 * sees a ping, so it asks for the record: the gateway pings, and writes there that nobody answered. It looks after an
 * event of {@link WAKING}, and when no message came for two heartbeats.
 *
 * @param heartbeatMs how often the gateway pings
 * @param signal aborted when the connection has ended
 * @returns how the connection ended; it resolves only then
 * @throws the signal's reason
 */
export async function untilLost(
  service: TicketService,
  ticketId: string,
  socket: WebSocket,
  heartbeatMs: number,
  signal: AbortSignal,
): Promise<Closing> {
  let lookAt = 0;
  let lookedAt = 0;
  let wake = () => {};
  const postpone = () => {
    lookAt = Date.now() + heartbeatMs * (2 + Math.random());
  };
  const onWaking = () => {
    if (globalThis.document?.hidden) return;
    lookAt = Math.max(Date.now() + Math.random() * SPREAD_MS, lookedAt + MIN_GAP_MS);
    wake();
  };
  socket.addEventListener('message', postpone);
  for (const type of WAKING) globalThis.addEventListener?.(type, onWaking);
  try {
    for (;;) {
      postpone();
      while (lookAt > Date.now()) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([sleep(lookAt - Date.now(), signal), woken]);
      }
      lookedAt = Date.now();
      // If nobody answers, the network may be away: it looks again later.
      const record = await service.record(ticketId).catch((error: unknown) => {
        if (!(error instanceof ConnectRefused)) throw error;
      });
      if (record && /closed|revoked/.test(record.state)) {
        return { code: 1006, reason: '', ...record.close, wasClean: false };
      }
    }
  } finally {
    socket.removeEventListener('message', postpone);
    for (const type of WAKING) globalThis.removeEventListener?.(type, onWaking);
  }
}
