import type { WebSocketClass } from '../client/index.ts';

/** A call of a script, or an event that it got. */
export interface Line {
  readonly kind: 'call' | 'event' | 'failure';
  readonly text: string;
  /** What the event has besides its name. */
  readonly detail?: string;
}

/**
 * A WebSocket class that records every event as the browser fires it. Of a ticket it shows the id only.
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

/** The event has no message, no status and no reason. */
export const errorLine: Line = { kind: 'failure', text: 'error', detail: 'no message' };

export function closeLine(code: number, reason: string): Line {
  const kind = code === 1000 || code === 1005 ? 'event' : 'failure';
  return { kind, text: 'close', detail: `code ${code}, reason "${reason}"` };
}

function shortened(path: string): string {
  return path.length > 12 ? `${path.slice(0, 9)}…` : path;
}
