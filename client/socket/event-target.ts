type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

/** What events need of an EventTarget, for React Native, which has no global one. */
export class PlainTarget {
  readonly #listeners: Record<string, Map<Listener, boolean | undefined>> = {};

  addEventListener(type: string, listener: Listener | null, options?: AddEventListenerOptions): void {
    if (!listener) return;
    this.#listeners[type] ??= new Map();
    this.#listeners[type].set(listener, options?.once);
  }

  removeEventListener(type: string, listener: Listener): void {
    this.#listeners[type]?.delete(listener);
  }

  dispatchEvent(event: Event): boolean {
    for (const [listener, once] of [...(this.#listeners[event.type] ?? [])]) {
      if (once) this.removeEventListener(event.type, listener);
      try {
        if (typeof listener === 'function') listener.call(this, event);
        else listener.handleEvent(event);
      } catch (error) {
        // It is reported, as by a real one, and the other listeners are called all the same.
        setTimeout(() => {
          throw error;
        });
      }
    }
    return true;
  }
}
