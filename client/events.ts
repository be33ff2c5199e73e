import type { StateReason } from './connector.ts';
import type { OncegateSocketEvents, SocketState } from './socket.ts';

/** An {@link OncegateSocket} does something else from now on. */
export class StateChange extends Event {
  declare readonly state: SocketState;
  declare readonly reason: StateReason['reason'];
  declare readonly waitMs: StateReason['waitMs'];
  declare readonly ticketId: StateReason['ticketId'];

  constructor(state: SocketState, why: StateReason = {}) {
    super('statechange');
    Object.assign(this, why, { state });
  }
}

export function errorEvent(error: unknown): OncegateSocketEvents['error'] {
  return Object.assign(new Event('error'), { error });
}

/** A CloseEvent; where the platform has none (Node before 23), an event with its properties. */
export function closeEvent(how: Pick<CloseEvent, 'code' | 'reason' | 'wasClean'>): Event {
  return globalThis.CloseEvent ? new CloseEvent('close', how) : Object.assign(new Event('close'), how);
}

/** Defines event handler attributes (HTML standard §8.1.8.1): `on<type>`, null or a function. */
export function defineHandlers(target: EventTarget, types: readonly string[]): void {
  for (const type of types) {
    const handlers = new WeakMap<EventTarget, (event: Event) => unknown>();
    const call = function (this: EventTarget, event: Event) {
      handlers.get(this)?.call(this, event);
    };
    Object.defineProperty(target, `on${type}`, {
      enumerable: true,
      configurable: true,
      get(this: EventTarget) {
        return handlers.get(this) ?? null;
      },
      set(this: EventTarget, handler: unknown) {
        if (typeof handler === 'function') {
          handlers.set(this, handler as (event: Event) => unknown); // called with the events of this type alone
          this.addEventListener(type, call);
        } else {
          handlers.delete(this);
          this.removeEventListener(type, call);
        }
      },
    });
  }
}
