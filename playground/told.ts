import { type ConnectionEnded, ConnectRefused } from '../client/index.ts';
import { closeCodes } from '../shared/close-codes.ts';
import { type Retry, refusals } from '../shared/refusals.ts';

/** What Oncegate tells about an attempt or an ending, ready to be shown. */
export interface Told {
  /** What became of it: it was refused, an open connection ended, or all is well. */
  readonly kind: 'refused' | 'ended' | 'opened';
  readonly code: string;
  /** `HTTP 401`, `close 3003`. */
  readonly where: string;
  readonly title: string;
  readonly advice: string;
  /** Absent where there is nothing to be tried again. */
  readonly retry?: Retry;
  /** Seconds. */
  readonly retryAfter?: number | undefined;
  readonly ticketId?: string | undefined;
  /** Where the catalogue explains the code. */
  readonly href?: string | undefined;
}

export function toldOfRefusal(refused: ConnectRefused): Told {
  const { code, status, retry, retryAfter, ticketId, message } = refused;
  const row = code in refusals ? refusals[code as keyof typeof refusals] : undefined; // `in` has looked
  return {
    kind: 'refused',
    code,
    where: status === undefined ? 'no answer' : `HTTP ${status}`,
    title: row?.title ?? 'The client found out by itself',
    advice: row?.detail ?? message.slice(code.length + 2),
    retry,
    retryAfter,
    ticketId,
    href: row && `/problems/${code}`,
  };
}

export function toldOfEnd({ code, closeCode, retry }: ConnectionEnded, ticketId: string): Told {
  const row = code in closeCodes ? closeCodes[code as keyof typeof closeCodes] : undefined; // `in` has looked
  return {
    kind: 'ended',
    code,
    where: `close ${closeCode}`,
    title: 'The gateway closed the connection',
    advice: row === undefined ? 'Nobody gave a reason.' : `Because ${row.when}.`,
    retry,
    ticketId,
  };
}

export function toldOfOpening(ticketId: string): Told {
  return {
    kind: 'opened',
    code: 'admitted',
    where: 'HTTP 101',
    title: 'The ticket was admitted',
    advice: 'It is spent now, and can open nothing else. The connection has the id of its ticket.',
    ticketId,
  };
}

/** What went wrong, as the client's error where it is one. */
export function refusedOf(error: unknown): ConnectRefused {
  if (error instanceof ConnectRefused) return error;
  throw error;
}
