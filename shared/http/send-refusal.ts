import type { ServerResponse } from 'node:http';
import { problemOf } from '../problem.ts';
import type { Refusal } from '../refusals.ts';

/**
 * Writes a refusal to an HTTP response. No other function does; the gateway has one for raw sockets.
 *
 * @param statusLine replaces the refusal's status in the status line, for a proxy that cannot pass that on
 */
export function sendRefusal(response: ServerResponse, refusal: Refusal, statusLine?: number): void {
  const { status, headers, body } = problemOf(refusal);
  response.statusCode = statusLine ?? status;
  for (const name of new Set(headers.map(([header]) => header))) {
    const values = headers.filter(([header]) => header === name).map(([, value]) => value);
    // `Connection: Upgrade` of a 426 must not replace the server's own `close`.
    if (name === 'Connection') values.unshift('close');
    response.setHeader(name, values.length === 1 ? String(values[0]) : values);
  }
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}
