import { type ConnectionEnded, ConnectRefused } from '../client/index.ts';
import { closeCodes } from '../shared/close-codes.ts';
import { type Retry, refusals } from '../shared/refusals.ts';

/** What Oncegate says of an attempt or of an end, ready to be shown. */
export interface Told {
  /** Whether an attempt was refused, an open connection ended, or a connection opened. */
  readonly kind: 'refused' | 'ended' | 'opened';
  readonly code: string;
  /** `HTTP 401`, `close 3003`. */
  readonly where: string;
  readonly title: string;
  readonly advice: string;
  /** Absent if nothing has failed. */
  readonly retry?: Retry;
  /** The shortest wait, in seconds. */
  readonly retryAfter?: number | undefined;
  readonly ticketId?: string | undefined;
  /** The page of the catalogue that explains the code. */
  readonly href?: string | undefined;
}

export function toldOfRefusal(refused: ConnectRefused): Told {
  const { code, status, retry, retryAfter, ticketId, message } = refused;
  const row = code in refusals ? refusals[code as keyof typeof refusals] : undefined; // `in` has checked
  return {
    kind: 'refused',
    code,
    where: status === undefined ? 'no answer' : `HTTP ${status}`,
    title: row?.title ?? 'The client found this out by itself',
    advice: row?.detail ?? message.slice(code.length + 2),
    retry,
    retryAfter,
    ticketId,
    href: row && `/problems/${code}`,
  };
}

export function toldOfEnd({ code, closeCode, retry }: ConnectionEnded, ticketId: string): Told {
  const row = code in closeCodes ? closeCodes[code as keyof typeof closeCodes] : undefined; // `in` has checked
  return {
    kind: 'ended',
    code,
    where: `close ${closeCode}`,
    title: 'The gateway closed the connection',
    advice: row === undefined ? 'The gateway gave no reason.' : `Because ${row.when}.`,
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
    advice: 'It is spent: no other connection can be opened with it. The connection has the id of its ticket.',
    ticketId,
  };
}

/** The refusal that an error is; rethrows any other error. */
export function refusedOf(error: unknown): ConnectRefused {
  if (error instanceof ConnectRefused) return error;
  throw error;
}
