import { setTimeout as wait } from 'node:timers/promises';
import { drainDetail } from '../../../shared/close-codes.ts';
import type { Connections } from './connections.ts';

/** The upgrades that are being decided. */
interface Deciding {
  /** How many upgrades may still be admitted. */
  readonly admissible: number;
}

const STEP_MS = 100;

/**
 * Closes the open connections with 1012, evenly over a spread, so that the clients do not come back all at once.
 * The reason says so, and each client comes back within a second of its own close.
 *
 * @param deciding refuses every new upgrade; those that it was deciding may still open
 * @returns once no connection is left and none can open
 */
export async function drainConnections(
  connections: Connections,
  deciding: Deciding,
  drainSeconds: number,
): Promise<void> {
  const spreadMs = drainSeconds * 1000;
  const end = performance.now() + spreadMs;
  const atStart = connections.size;
  while (connections.size > 0 || deciding.admissible > 0) {
    const { staying } = connections;
    const left = spreadMs === 0 ? 0 : Math.max(0, (end - performance.now()) / spreadMs);
    // Connections that opened after the drain began are closed with the first ones.
    for (const connection of staying.slice(Math.floor(atStart * left))) {
      connections.close(connection.id, 'draining', drainDetail(drainSeconds));
    }
    await wait(STEP_MS);
  }
}
