import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** A request with these headers, for code that reads nothing else of it. */
export function requestWith(headers: IncomingMessage['headers']): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  Object.assign(request.headers, headers);
  return request;
}
