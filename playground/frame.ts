/** What this page of another origin is given: a ticket. It connects with it, and reports each event. */
export interface Handed {
  readonly url: string;
  readonly protocols: readonly string[];
}

/** What the frame reports: that it is ready, or an event of its WebSocket. */
export type Heard =
  | { readonly type: 'ready' | 'open' | 'error' }
  | { readonly type: 'close'; readonly code: number; readonly reason: string };

const say = (heard: Heard) => parent.postMessage(heard, '*'); // it contains no secret

addEventListener('message', ({ source, data }: MessageEvent<Handed>) => {
  if (source !== parent) return;
  const socket = new WebSocket(data.url, [...data.protocols]);
  socket.addEventListener('open', () => say({ type: 'open' }));
  socket.addEventListener('error', () => say({ type: 'error' }));
  socket.addEventListener('close', ({ code, reason }) => say({ type: 'close', code, reason }));
});
say({ type: 'ready' });
