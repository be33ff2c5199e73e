import type { WebSocketClass } from '../client/index.ts';

/** What a script sees of a WebSocket: what it called, what it was told. */
export interface Line {
  readonly kind: 'call' | 'event' | 'failure';
  readonly text: string;
  /** What the event says beside its name. */
  readonly detail?: string;
}

/**
 * A WebSocket class that writes down every event as the browser fires it. Tickets are left out, but
 * their ids stay: that is all that has to be told apart.
 */
export function recording(write: (line: Line) => void): WebSocketClass<WebSocket> {
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      write(callOf(url));
      this.addEventListener('open', () => write({ kind: 'event', text: 'open' }));
      this.addEventListener('error', () => write(errorLine));
      this.addEventListener('close', ({ code, reason }) => write(closeLine(code, reason)));
    }
  };
}

export function callOf(url: string): Line {
  const { host, pathname } = new URL(url);
  return { kind: 'call', text: 'new WebSocket', detail: `${host}${shortened(pathname)}` };
}

/** The event has no message, no status and no reason: there is nothing to be written but its name. */
export const errorLine: Line = { kind: 'failure', text: 'error', detail: 'no message' };

export function closeLine(code: number, reason: string): Line {
  const kind = code === 1000 || code === 1005 ? 'event' : 'failure';
  return { kind, text: 'close', detail: `code ${code}, reason "${reason}"` };
}

function shortened(path: string): string {
  return path.length > 12 ? `${path.slice(0, 9)}…` : path;
}
