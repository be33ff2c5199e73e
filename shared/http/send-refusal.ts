import type { ServerResponse } from 'node:http';
import { problemOf } from '../problem.ts';
import type { Refusal } from '../refusals.ts';

/**
 * Writes a refusal on an HTTP response. The only function that does; raw sockets have the gateway's own.
 *
 * @param statusLine what stands in the status line in place of the refusal's own status, for a proxy that
 *   cannot pass that on
 */
export function sendRefusal(response: ServerResponse, refusal: Refusal, statusLine?: number): void {
  const { status, headers, body } = problemOf(refusal);
  response.statusCode = statusLine ?? status;
  for (const name of new Set(headers.map(([header]) => header))) {
    const values = headers.filter(([header]) => header === name).map(([, value]) => value);
    // `Connection: Upgrade` (with a 426) does not take the place of the server's own `close`.
    if (name === 'Connection') values.unshift('close');
    response.setHeader(name, values.length === 1 ? String(values[0]) : values);
  }
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}
