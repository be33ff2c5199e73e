import { type IncomingMessage, type OutgoingHttpHeaders, request as startRequest } from 'node:http';
import { expect } from 'vitest';
import type { TicketRecord } from '../../../shared/store/store.ts';
import type { InProcess } from '../services/in-process.ts';
import { JWT_SECRET } from './bearer.ts';

/** An answer of the ticket service, with each challenge by itself. */
export interface SignInAnswer {
  readonly status: number;
  /** The code of a refusal; absent where it is none. */
  readonly code: string | undefined;
  readonly challenges: readonly string[];
  readonly retryAfter: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

interface SignInOptions {
  readonly method?: string;
  readonly path?: string;
  readonly body?: unknown;
}

/**
 * Sends a request with these headers and no other credentials: a `POST /tickets` with JSON unless said
 * otherwise. A header with several values is sent as several lines.
 */
export async function signIn(
  service: Pick<InProcess, 'port'>,
  headers: OutgoingHttpHeaders,
  { method = 'POST', path = '/tickets', body = {} }: SignInOptions = {},
): Promise<SignInAnswer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = method === 'GET' || method === 'DELETE' ? undefined : JSON.stringify(body);
    const request = startRequest(
      {
        port: service.port,
        host: '127.0.0.1',
        method,
        path,
        agent: false,
        headers: { ...(sent !== undefined && { 'Content-Type': 'application/json' }), ...headers },
      },
      resolve,
    );
    request.on('error', reject);
    // As bytes: with a text Node would write the headers in UTF-8 too.
    request.end(sent && Buffer.from(sent));
  });
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const parsed: unknown = text === '' ? {} : JSON.parse(text);
  const answer = parsed as Readonly<Record<string, unknown>>; // every answer of the service is a JSON object
  return {
    status: response.statusCode ?? 0,
    code: typeof answer.code === 'string' ? answer.code : undefined,
    challenges: response.headersDistinct['www-authenticate'] ?? [],
    retryAfter: response.headers['retry-after'],
    body: answer,
  };
}

/** The record of the ticket that was issued; that none was is a failure which says why. */
export async function recordOf(
  service: Pick<InProcess, 'store'>,
  { status, body }: SignInAnswer,
): Promise<TicketRecord> {
  expect([status, body.code]).toEqual([201, undefined]);
  const record = await service.store.read(String(body.id));
  if (record === null) throw new Error('the ticket has no record');
  return record;
}

/** What a row of a table expects: who gets in, or how the answer refuses. */
export type Expected = { readonly subject: string } | Refused;

interface Refused {
  readonly status: 401 | 403 | 422 | 503;
  readonly code: string;
  /** All of a 401, in their order. */
  readonly challenges?: readonly string[];
}

/** Asserts an answer, and that no fault of ours was logged on the way to it. */
export async function expectAnswer(service: InProcess, answer: SignInAnswer, expected: Expected): Promise<void> {
  if ('subject' in expected) {
    expect((await recordOf(service, answer)).subject).toBe(expected.subject);
  } else {
    const { status, code, challenges = [] } = expected;
    expect(answer).toMatchObject({ status, code, challenges });
    expect(answer.retryAfter !== undefined).toBe(status === 503);
    expect(await service.metric('oncegate_tickets_issued_total')).toBe(0);
  }
  expect(service.log.filter(({ event }) => event === 'fault')).toEqual([]);
}

export const CHALLENGE = {
  basic: 'Basic realm="oncegate", charset="UTF-8"',
  bearer: 'Bearer realm="oncegate"',
  invalidToken: 'Bearer realm="oncegate", error="invalid_token"',
  proxy: 'Proxy realm="oncegate"',
  cookie: 'Cookie realm="oncegate", cookie-name="connect.sid"',
  application: 'Application realm="oncegate"',
} as const;

/** For a service that is to accept no JWT of the tests' shared secret. */
export const NO_SECRET = { AUTH_JWT_SECRET: '' } as const;

export { JWT_SECRET };
