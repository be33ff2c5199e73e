import type { TicketRecord } from './record.ts';

/** One stop in the life of a ticket. `failed` is a bad end; `never` means that the ticket cannot reach it any more. */
export interface Stop {
  readonly name: string;
  readonly state: 'reached' | 'failed' | 'ahead' | 'never';
  /** Unix milliseconds by the service's clock; absent if it was not reached, or the record has no time for it. */
  readonly at?: number;
  readonly note?: string;
}

/** The life of a ticket, by its record and in order: issued, presented, opened, closed, and what came between. */
export function stopsOf(record: TicketRecord | undefined): Stop[] {
  if (record === undefined)
    return ['issued', 'presented', 'opened', 'closed'].map((name) => ({ name, state: 'ahead' }));
  const { state, close, last_attempt: attempt } = record;
  const over =
    state === 'refused' || state === 'expired' || state === 'revoked' || state === 'closed' || state === 'handed_over';
  const missed = over ? 'never' : 'ahead';
  const opened = moment(record.opened_at);
  const closed = moment(record.closed_at);

  const reached: Stop[] = [{ name: 'issued', state: 'reached', at: Date.parse(record.issued_at) }];
  const left: Stop[] = [];
  if (attempt !== null && attempt.outcome !== 'admitted') {
    const name = opened === undefined ? 'presented' : 'presented again';
    reached.push({ name, state: 'failed', at: Date.parse(attempt.at), note: `${attempt.status} ${attempt.outcome}` });
  }
  if (opened !== undefined) {
    reached.push({ name: 'presented', state: 'reached', at: opened }, { name: 'opened', state: 'reached', at: opened });
  } else {
    if (attempt === null) left.push({ name: 'presented', state: missed });
    left.push({ name: 'opened', state: missed });
    if (state === 'expired') reached.push({ name: 'expired', state: 'failed', at: Date.parse(record.expires_at) });
    if (state === 'revoked') left.unshift({ name: 'revoked', state: 'failed' });
  }
  if (closed === undefined) left.push({ name: 'closed', state: opened === undefined ? missed : 'ahead' });
  else {
    const note = close === null ? '' : `${close.code} ${close.reason}`.trim();
    const bad = close !== null && close.code !== 1000 && close.code !== 1005;
    reached.push({ name: 'closed', state: bad ? 'failed' : 'reached', at: closed, note });
  }
  // The sort is stable: stops at the same moment keep the order from above.
  return [...reached.sort((a, b) => Number(a.at) - Number(b.at)), ...left];
}

function moment(time: string | null): number | undefined {
  return time === null ? undefined : Date.parse(time);
}
