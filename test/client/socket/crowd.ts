import type { StateChange } from '../../../client/socket/events.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { atEnd } from '../../support/machine/teardown.ts';
import { until } from '../../support/machine/wait.ts';
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

/** How many sockets are opened at once: the ticket service drops requests that a busy machine reads too late. */
const BATCH = 25;

/** Opens a socket for each of `size` users. Resolves when all are open. They are closed when the test ends. */
export async function openCrowd(fleet: Fleet, size: number): Promise<Member[]> {
  const crowd: Member[] = [];
  while (crowd.length < size) {
    const users = Array.from({ length: Math.min(BATCH, size - crowd.length) }, (_, index) => crowd.length + index);
    crowd.push(...(await Promise.all(users.map((user) => openMember(fleet, `user-${user}`)))));
    await allOpen(crowd);
  }
  return crowd;
}

export function allOpen(crowd: readonly Member[]): Promise<boolean> {
  return until(() => crowd.every(({ socket }) => socket.state === 'open'), {
    everyMs: 20,
    what: 'all are open',
  });
}

async function openMember({ ticket }: Fleet, user: string): Promise<Member> {
  const authorization = await bearer(user);
  const socket = new OncegateSocket({
    tickets: `http://127.0.0.1:${ticket.port}/tickets`,
    headers: async () => ({ Authorization: authorization }),
    WebSocket: NodeSocket,
    timeoutMs: 60_000,
  });
  atEnd(async () => socket.close());
  return watched(socket);
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
