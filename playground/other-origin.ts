import { make } from './dom.ts';
import type { Handed, Heard } from './frame.ts';
import { callOf, closeLine, errorLine, type Line } from './recording.ts';

/** Has a sandboxed frame, with the origin `null`, connect with a ticket. Resolves when its socket has closed. */
export function tryElsewhere(handed: Handed, write: (line: Line) => void): Promise<void> {
  const frame = make('iframe');
  frame.hidden = true;
  frame.title = 'A page of another origin';
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.src = '/playground/frame.html';
  return new Promise<void>((resolve) => {
    const listen = ({ source, data }: MessageEvent<Heard>) => {
      if (source !== frame.contentWindow) return;
      if (data.type === 'ready') {
        write({ ...callOf(handed.url), text: 'new WebSocket, by a page of origin null' });
        // An opaque origin cannot be named as the target. The frame is ours, and cannot navigate.
        frame.contentWindow?.postMessage(handed, '*');
      } else if (data.type === 'error') write(errorLine);
      else if (data.type !== 'close') write({ kind: 'event', text: data.type });
      else {
        write(closeLine(data.code, data.reason));
        removeEventListener('message', listen);
        frame.remove();
        resolve();
      }
    };
    addEventListener('message', listen);
    document.body.append(frame);
  });
}
