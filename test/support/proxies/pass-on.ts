import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as startRequest,
} from 'node:http';

/** Asks a server on this machine the same with these headers, and answers what it answers, as a proxy does. */
export function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { port, headers }: { readonly port: number; readonly headers: OutgoingHttpHeaders },
): void {
  const { method, url: path } = request;
  const onward = startRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}
