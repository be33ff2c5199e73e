import { bearer } from '../logins/bearer.ts';
import type { InProcess } from './in-process.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body if it is a JSON object, otherwise empty. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Ask {
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** `Authorization`; by default a valid token of ada, `null` for none. */
  readonly credentials?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a request to a ticket service, as an application would. */
export async function ask(service: Pick<InProcess, 'port'>, path: string, options: Ask = {}): Promise<Answer> {
  const { method = 'GET', body, headers = {}, credentials = await bearer('ada') } = options;
  const response = await fetch(`http://127.0.0.1:${service.port}${path}`, {
    method,
    headers: {
      ...(credentials !== null && { Authorization: credentials }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : {};
  return { status: response.status, headers: response.headers, text, body: parsed as Answer['body'] }; // it begins with a brace
}
