import type { StateChange } from '../../../client/socket/events.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { atEnd } from '../../support/machine/teardown.ts';
import type { Fleet } from '../../support/services/services.ts';
import { NodeSocket } from './node-socket.ts';

/** An `OncegateSocket` of one user, and what it has reported. */
export interface Member {
  readonly socket: OncegateSocket;
  /** Each change of state, and its time by `performance.now()`. */
  readonly changes: ReadonlyArray<{ readonly at: number; readonly change: StateChange }>;
  /** The ids of all tickets that it has presented, in order. */
  readonly tickets: readonly string[];
  /** The types of its `close` and `error` events: none as long as it comes back. */
  readonly endings: readonly string[];
}

/** Opens a socket for each of `size` users. All are closed when the test ends. */
export async function openCrowd({ ticket }: Fleet, size: number): Promise<Member[]> {
  return Promise.all(
    Array.from({ length: size }, async (_, index) => {
      const authorization = await bearer(`user-${index}`);
      const socket = new OncegateSocket({
        tickets: `http://127.0.0.1:${ticket.port}/tickets`,
        headers: async () => ({ Authorization: authorization }),
        WebSocket: NodeSocket,
      });
      atEnd(async () => socket.close());
      return watched(socket);
    }),
  );
}

function watched(socket: OncegateSocket): Member {
  const changes: Array<{ at: number; change: StateChange }> = [];
  const tickets: string[] = [];
  const endings: string[] = [];
  socket.addEventListener('statechange', (change) => {
    changes.push({ at: performance.now(), change });
    if (change.state === 'connecting' && change.ticketId !== undefined) tickets.push(change.ticketId);
  });
  for (const type of ['close', 'error'] as const) socket.addEventListener(type, () => endings.push(type));
  return { socket, changes, tickets, endings };
}
