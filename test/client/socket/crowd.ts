import type { StateChange } from '../../../client/socket/events.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { atEnd } from '../../support/machine/teardown.ts';
import type { Fleet } from '../../support/services/services.ts';
import { NodeSocket } from './node-socket.ts';

/** An `OncegateSocket` of a user of its own, and all that it has told. */
export interface Member {
  readonly socket: OncegateSocket;
  /** Each change of state, and when it was told, by `performance.now()`. */
  readonly changes: ReadonlyArray<{ readonly at: number; readonly change: StateChange }>;
  /** The ids of all tickets that it has presented, in their order. */
  readonly tickets: readonly string[];
  /** The types of the events that say that it gave up. */
  readonly endings: readonly string[];
}

/** So many users, each with a socket that comes back; they are closed with the test. */
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
