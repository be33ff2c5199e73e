import { describe, expect, test } from 'vitest';
import { problemOf, problemType } from '../../shared/problem.ts';
import { type Refusal, refusalCodes, rowOf } from '../../shared/refusals.ts';

/** The values of a header, in their order. */
function valuesOf(refusal: Refusal, name: string): string[] {
  return problemOf(refusal)
    .headers.filter(([header]) => header.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value);
}

function bodyOf(refusal: Refusal): Record<string, unknown> {
  return JSON.parse(String(problemOf(refusal).body)) as Record<string, unknown>; // a problem document is an object
}

describe('the HTTP answer of a refusal', () => {
  for (const code of refusalCodes) {
    const row = rowOf(code);

    describe(code, () => {
      test('has the status and the body of its row', () => {
        expect(problemOf({ code }).status).toBe(row.status);
        expect(bodyOf({ code })).toStrictEqual({
          type: `urn:oncegate:problem:${code}`,
          title: row.title,
          status: row.status,
          code,
          detail: row.detail,
          retry: row.retry,
          ...(row.retryAfterSeconds !== undefined && { retry_after: row.retryAfterSeconds }),
        });
      });

      test('has the headers of its status and no others', () => {
        const { headers } = problemOf({ code });
        const names = headers.map(([name]) => name);
        const expected = ['Content-Type', 'Cache-Control', 'X-Content-Type-Options'];
        if (row.status === 401) expected.push('WWW-Authenticate');
        if (row.status === 405) expected.push('Allow');
        if (row.status === 426) expected.push('Upgrade', 'Connection', 'Sec-WebSocket-Version');
        if (row.status === 429 || row.status === 503) expected.push('Retry-After');

        expect(names).toStrictEqual(expected);
        expect(valuesOf({ code }, 'content-type')).toStrictEqual(['application/problem+json']);
        expect(valuesOf({ code }, 'cache-control')).toStrictEqual(['no-store']);
        for (const [name, value] of headers) expect(`${name}: ${value}`).toMatch(/^[\x20-\x7e]+$/);
      });
    });
  }

  test('has a type that is a URN of its code', () => {
    expect(problemType('ticket_consumed')).toBe('urn:oncegate:problem:ticket_consumed');
  });

  test('challenges with the code of the refusal at a gateway', () => {
    expect(valuesOf({ code: 'ticket_consumed' }, 'www-authenticate')).toStrictEqual([
      'Ticket realm="oncegate", error="ticket_consumed"',
    ]);
  });

  test('challenges once for each scheme of the ticket service', () => {
    const challenges = ['Bearer realm="oncegate"', 'Basic realm="oncegate", charset="UTF-8"'];

    expect(valuesOf({ code: 'credentials_missing', challenges }, 'www-authenticate')).toStrictEqual(challenges);
  });

  test('challenges nobody with another status', () => {
    expect(valuesOf({ code: 'csrf_refused', challenges: ['Bearer'] }, 'www-authenticate')).toStrictEqual([]);
  });

  test('names the methods that are allowed', () => {
    expect(valuesOf({ code: 'method_not_allowed', allow: ['GET', 'POST'] }, 'allow')).toStrictEqual(['GET, POST']);
  });

  test('names protocol and version with a 426', () => {
    expect(valuesOf({ code: 'upgrade_required' }, 'sec-websocket-version')).toStrictEqual(['13']);
    expect(valuesOf({ code: 'upgrade_required' }, 'upgrade')).toStrictEqual(['websocket']);
    expect(valuesOf({ code: 'upgrade_required' }, 'connection')).toStrictEqual(['Upgrade']);
  });

  test('says how long to wait, in the header and in the body alike', () => {
    const row = rowOf('pending_limit');
    expect(valuesOf({ code: 'pending_limit' }, 'retry-after')).toStrictEqual([String(row.retryAfterSeconds)]);

    const known = { code: 'pending_limit', retryAfterSeconds: 17 } as const;
    expect(valuesOf(known, 'retry-after')).toStrictEqual(['17']);
    expect(bodyOf(known).retry_after).toBe(17);
  });

  test('asks nobody to wait where the row does not', () => {
    const refusal = { code: 'ticket_consumed', retryAfterSeconds: 17 } as const;

    expect(valuesOf(refusal, 'retry-after')).toStrictEqual([]);
    expect(bodyOf(refusal)).not.toHaveProperty('retry_after');
  });

  test('names the ticket when one was presented', () => {
    expect(bodyOf({ code: 'ticket_consumed', ticketId: '_e5DDUC9V97abcdefghijk' }).ticket_id).toBe(
      '_e5DDUC9V97abcdefghijk',
    );
    expect(bodyOf({ code: 'ticket_missing' })).not.toHaveProperty('ticket_id');
  });

  test('names every field that is out of bounds', () => {
    const errors = [
      { pointer: '#/ttl_seconds', detail: 'must be at most 30' },
      { pointer: '#/claims', detail: 'must be an object' },
    ];

    expect(bodyOf({ code: 'request_invalid', errors }).errors).toStrictEqual(errors);
  });
});

describe('what an upstream answered has the headers that its status demands', () => {
  const body = Buffer.from('no');
  const passed = (status: number, headers: ReadonlyArray<readonly [string, string]> = [], bytes = body): Refusal => ({
    code: 'upstream_refused',
    passedOn: { status, headers: [['Content-Type', 'text/plain'], ...headers], body: bytes },
  });

  const demanded: ReadonlyArray<readonly [number, string, string]> = [
    [401, 'WWW-Authenticate', 'Ticket realm="oncegate", error="upstream_refused"'],
    [405, 'Allow', ''],
    [426, 'Upgrade', 'websocket'],
    [426, 'Connection', 'Upgrade'],
    [426, 'Sec-WebSocket-Version', '13'],
    [429, 'Retry-After', String(rowOf('rate_limited').retryAfterSeconds)],
  ];

  test.each(demanded)('%i: %s, with its body and without', (status, name, value) => {
    expect(valuesOf(passed(status), name)).toStrictEqual([value]);
    expect(problemOf(passed(status)).body).toBe(body);
    expect(valuesOf(passed(status, [], Buffer.alloc(0)), name)).toStrictEqual([value]);
  });

  test.each([
    [401, 'www-authenticate', 'Basic realm="back end"'],
    [405, 'allow', 'POST'],
    [429, 'retry-after', '17'],
  ])('%i: the %s of its own stays, alone', (status, name, value) => {
    expect(valuesOf(passed(status, [[name, value]]), name)).toStrictEqual([value]);
    expect(valuesOf(passed(status, [[name, value]], Buffer.alloc(0)), name)).toStrictEqual([value]);
  });

  test('and no others', () => {
    expect(problemOf(passed(403)).headers.map(([name]) => name)).toStrictEqual(['Content-Type', 'Cache-Control']);
  });
});
