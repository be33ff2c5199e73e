import type { StateReason } from '../connect/connector.ts';
import type { SocketState } from './socket.ts';

/** An `OncegateSocket` does something else from now on. */
export interface StateChange extends Event, StateReason {
  readonly state: SocketState;
}

export function eventWith<Properties>(type: string, properties: Properties): Event & Properties {
  return Object.assign(new Event(type), properties);
}

/** A CloseEvent; where the platform has none (Node before 23), an event with its properties. */
export function closeEvent(how: Pick<CloseEvent, 'code' | 'reason' | 'wasClean'>): Event {
  const { code, reason, wasClean } = how;
  return globalThis.CloseEvent ? new CloseEvent('close', how) : eventWith('close', { code, reason, wasClean });
}
