import type { Random } from '../numbers/random.ts';
import { type CarrierName, upgradeLines } from '../sockets/upgrade-request.ts';

/** A request under construction. */
export interface Draft {
  /** Method, target and version. */
  readonly start: [method: string, target: string, version: string];
  /** Header lines, without their line ends. */
  readonly headers: string[];
  /** The bytes after the head. */
  readonly rest: Buffer;
  readonly lineEnd: string;
}

/** A valid request, in one of its many forms. */
export function goodDraft(random: Random, ticket: string): Draft {
  const carrier = random.pick<CarrierName>(['query', 'subprotocol', 'authorization']);
  const [start = '', ...headers] = upgradeLines({
    ticket,
    carrier,
    target: random.pick(['/', '/room/7', '/a/b/c', `/~${random.text(22)}/x`]),
    headers: {
      Host: 'localhost',
      ...(random.chance(0.5) && { 'User-Agent': 'fuzz', Origin: 'http://localhost', Cookie: 'a=b; c=d' }),
    },
  });
  const [method = '', target = '', version = ''] = start.split(' ');
  return { start: [method, target, version], headers, rest: Buffer.alloc(0), lineEnd: '\r\n' };
}

/** The bytes of a draft; characters up to U+00FF become one byte each. */
export function bytesOf({ start, headers, rest, lineEnd }: Draft): Buffer {
  const head = [start.join(' '), ...headers, '', ''].join(lineEnd);
  return Buffer.concat([Buffer.from(head, 'latin1'), rest]);
}

export function withStart(
  draft: Draft,
  { method, target, version }: { method?: string; target?: string; version?: string },
): Draft {
  return { ...draft, start: [method ?? draft.start[0], target ?? draft.start[1], version ?? draft.start[2]] };
}

/** Inserts lines at a random place among the headers. */
export function withHeaders(draft: Draft, lines: readonly string[], random: Random): Draft {
  const at = random.integer(0, draft.headers.length);
  return { ...draft, headers: [...draft.headers.slice(0, at), ...lines, ...draft.headers.slice(at)] };
}

export function without(draft: Draft, name: string): Draft {
  return { ...draft, headers: draft.headers.filter((line) => !line.startsWith(`${name}:`)) };
}

export function withRest(draft: Draft, rest: Buffer | string): Draft {
  return { ...draft, rest: typeof rest === 'string' ? Buffer.from(rest) : rest };
}

export function manyHeaders(random: Random, count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `${random.pick(['X', 'Y', 'Cookie'])}-${index}:${random.pick(['', ' 1'])}`,
  );
}
