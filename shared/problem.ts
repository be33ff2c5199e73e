import { type Refusal, rowOf } from './refusals.ts';
import { TICKET_SCHEME } from './ticket/carriers.ts';

/** A refusal as an HTTP answer, for the writer to an HTTP response and the writer to a raw socket. */
export interface ProblemResponse {
  readonly status: number;
  /** All headers but those of the framing (`Content-Length`, `Connection: close`), which the writer adds. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** The problem document (RFC 9457) as JSON; or the body of an upstream's refusal. */
  readonly body: string | Uint8Array;
}

/** The `type` of a refusal's problem document (RFC 9457 §3.1.1). */
export function problemType(code: Refusal['code']): string {
  return `urn:oncegate:problem:${code}`;
}

/** A gateway's challenge (RFC 9110 §11.6.1), with the code in `error` as in RFC 6750 §3. */
function ticketChallenge(code: Refusal['code']): string {
  return `${TICKET_SCHEME} realm="oncegate", error="${code}"`;
}

/**
 * The headers that a status requires, without those that are present: a challenge (RFC 9110 §15.5.2), the
 * methods (§15.5.6), the protocol (§15.5.22) with its version (RFC 6455 §4.4), and how long to wait.
 */
function demandedBy(status: number, refusal: Refusal, existing: ProblemResponse['headers']): Array<[string, string]> {
  const headers: Array<[string, string]> = [];
  if (status === 401) {
    for (const challenge of refusal.challenges ?? [ticketChallenge(refusal.code)]) {
      headers.push(['WWW-Authenticate', challenge]);
    }
  }
  if (status === 405) headers.push(['Allow', (refusal.allow ?? []).join(', ')]);
  if (status === 426)
    headers.push(['Upgrade', 'websocket'], ['Connection', 'Upgrade'], ['Sec-WebSocket-Version', '13']);
  const retryAfter = retryAfterOf(refusal) ?? (status === 429 ? rowOf('rate_limited').retryAfterSeconds : undefined);
  if (retryAfter !== undefined) headers.push(['Retry-After', String(retryAfter)]);
  const names = existing.map(([name]) => name.toLowerCase());
  return headers.filter(([name]) => !names.includes(name.toLowerCase()));
}

/** Seconds to wait; undefined unless the row has some. */
function retryAfterOf({ code, retryAfterSeconds }: Refusal): number | undefined {
  const row = rowOf(code);
  return row.retryAfterSeconds === undefined ? undefined : (retryAfterSeconds ?? row.retryAfterSeconds);
}

/** The HTTP answer of a refusal. Status, headers and problem document derive from its row. */
export function problemOf(refusal: Refusal): ProblemResponse {
  const row = rowOf(refusal.code);
  const { passedOn } = refusal;
  const status = passedOn?.status ?? row.status;
  if (passedOn !== undefined && passedOn.body.length > 0) {
    const headers = [...passedOn.headers, ['Cache-Control', 'no-store'] as const];
    return { status, headers: [...headers, ...demandedBy(status, refusal, headers)], body: passedOn.body };
  }
  // The upstream's body is not passed on, so its `Content-*` headers would be wrong.
  const own = passedOn?.headers.filter(([name]) => !/^content-/i.test(name)) ?? [];
  const headers: Array<readonly [string, string]> = [
    ['Content-Type', 'application/problem+json'],
    ['Cache-Control', 'no-store'],
    ['X-Content-Type-Options', 'nosniff'],
    ...demandedBy(status, refusal, own),
    ...own,
  ];
  const body = JSON.stringify({
    type: problemType(refusal.code),
    title: row.title,
    status,
    code: refusal.code,
    detail: refusal.detail ?? row.detail,
    retry: row.retry,
    retry_after: retryAfterOf(refusal),
    ticket_id: refusal.ticketId,
    errors: refusal.errors,
  });
  return { status, headers, body };
}
