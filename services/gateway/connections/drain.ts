import { setTimeout as wait } from 'node:timers/promises';
import type { Connections } from './connections.ts';

/** What is still being decided about. */
interface Deciding {
  /** How many upgrades may still be admitted. */
  readonly admissible: number;
}

const STEP_MS = 100;

/**
 * Closes what is open with 1012, evenly over a spread, so that the clients do not all come back at
 * once. Each is told the spread, to wait for a random part of it.
 *
 * @param deciding admits nothing new any more: what it was deciding about may yet open
 * @returns when no connection is left, and none can come
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
    // Of those that opened while it began, none is kept longer than the others.
    for (const connection of staying.slice(Math.floor(atStart * left))) {
      connections.close(connection.id, 'draining', `;spread_seconds=${drainSeconds}`);
    }
    await wait(STEP_MS);
  }
}
