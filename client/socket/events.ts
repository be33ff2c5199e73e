import type { ConnectorState, StateReason } from '../connect/state.ts';

/** What an `OncegateSocket` is doing. */
export type SocketState = ConnectorState | 'open' | 'closing' | 'closed';

/** An `OncegateSocket` has a new state. */
export interface StateChange extends Event, StateReason {
  readonly state: SocketState;
}

export interface OncegateSocketEvents {
  /** A connection is open: the first one, or another one after it was down. */
  open: Event;
  message: MessageEvent;
  /** It has ended for good, and not cleanly; `error` says why. */
  error: Event & { readonly error?: unknown };
  /** It has ended for good. */
  close: CloseEvent;
  /** It has a new state, for this reason. */
  statechange: StateChange;
}

/** How a connection was closed. */
export type Closing = Pick<CloseEvent, 'code' | 'reason' | 'wasClean'>;

/** An event with properties. React Native has no global Event: there it is an object of the same kind. */
export function createEvent<Properties>(type: string, properties?: Properties): Event & Properties {
  return Object.assign(globalThis.Event ? new Event(type) : ({ type } as Event), properties);
}

/** A CloseEvent. Node has none before version 23: there it is an event with the same properties. */
export function createCloseEvent({ code, reason, wasClean }: Closing): Event {
  const closing = { code, reason, wasClean };
  return globalThis.CloseEvent ? new CloseEvent('close', closing) : createEvent('close', closing);
}

/** A MessageEvent, or where there is none an event with the same properties. */
export function createMessageEvent({ data, origin }: Pick<MessageEvent, 'data' | 'origin'>): Event {
  const message = { data, origin };
  return globalThis.MessageEvent ? new MessageEvent('message', message) : createEvent('message', message);
}
