/** A page of another origin: it is handed a ticket, tries it, and tells what its browser tells it. */
export interface Handed {
  readonly url: string;
  readonly protocols: readonly string[];
}

/** What a frame says: that it is there, or what happened to its WebSocket. */
export type Heard =
  | { readonly type: 'ready' | 'open' | 'error' }
  | { readonly type: 'close'; readonly code: number; readonly reason: string };

const say = (heard: Heard) => parent.postMessage(heard, '*'); // there is nothing secret in it

addEventListener('message', ({ source, data }: MessageEvent<Handed>) => {
  if (source !== parent) return;
  const socket = new WebSocket(data.url, [...data.protocols]);
  socket.addEventListener('open', () => say({ type: 'open' }));
  socket.addEventListener('error', () => say({ type: 'error' }));
  socket.addEventListener('close', ({ code, reason }) => say({ type: 'close', code, reason }));
});
say({ type: 'ready' });
