import { setTimeout as wait } from 'node:timers/promises';
import type { Connections } from './connections.ts';

const STEP_MS = 100;

/**
 * Closes what is open with 1012, evenly over a spread, so that the clients do not all come back at
 * once. Each is told the spread, to wait for a random part of it.
 *
 * @returns when no connection is left
 */
export async function drainConnections(connections: Connections, drainSeconds: number): Promise<void> {
  const end = Date.now() + drainSeconds * 1000;
  while (connections.size > 0) {
    const { staying } = connections;
    const stepsLeft = Math.max(1, Math.ceil((end - Date.now()) / STEP_MS));
    for (const connection of staying.slice(0, Math.ceil(staying.length / stepsLeft))) {
      connections.close(connection.id, 'draining', `;spread_seconds=${drainSeconds}`);
    }
    await wait(STEP_MS);
  }
}
