import type { ServerResponse } from 'node:http';

/** Answers with a JSON document. */
export function sendJson(response: ServerResponse, status: number, document: unknown): void {
  const body = JSON.stringify(document);
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}

/** A time as RFC 3339, UTC, with milliseconds. */
export function timestamp(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
