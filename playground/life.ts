import { ConnectRefused } from '../client/index.ts';
import { byId, make, pause } from './dom.ts';
import type { TicketRecord } from './record.ts';
import type { Issued, Service } from './service.ts';
import { type Stop, stopsOf } from './stops.ts';

const QUICK_MS = 400;
/** The record of an open connection is read less often: it is not about to change. */
const SLOW_MS = 2_000;
/** The wait after the record could not be read. */
const RETRY_MS = 1_000;
const TICK_MS = 250;
/** The page counts down a session that ends sooner than this. */
const SOON_MS = 60_000;

/** The texts of a ticket that has not been issued. */
const SPECIMEN = {
  'ticket-id': 'not issued yet',
  'ticket-subject': 'nobody yet',
  'ticket-issued': 'not yet',
  'ticket-gateway': 'none yet',
  'stub-label': 'good for',
  'stub-unit': 'seconds',
  'line-note': '',
  stamp: '',
};

const IN_WORDS = {
  reached: 'reached',
  failed: 'failed',
  ahead: 'not yet reached',
  never: 'will not be reached',
} as const;

/** Draws a ticket and the line of its life, and reads its record again for as long as that may change. */
export class Life {
  readonly #service: Service;
  readonly #ttlSeconds: number;
  readonly #onRecord: (record: TicketRecord) => void;
  readonly #ticket = byId('ticket', HTMLElement);
  readonly #line = byId('line', HTMLOListElement);
  #issued: Issued | undefined;
  #record: TicketRecord | undefined;
  /** How far the service's clock is ahead of this one, in milliseconds. */
  #ahead = 0;
  #receivedAt = 0;
  #reading = new AbortController();

  constructor(service: Service, ttlSeconds: number, onRecord: (record: TicketRecord) => void) {
    this.#service = service;
    this.#ttlSeconds = ttlSeconds;
    this.#onRecord = onRecord;
    this.clear();
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Shows the specimen until there is a ticket to follow. */
  clear(): void {
    this.#reading.abort();
    this.#issued = undefined;
    this.#record = undefined;
    this.#ticket.dataset.state = 'none';
    this.#ticket.removeAttribute('data-torn');
    for (const [id, content] of Object.entries(SPECIMEN)) text(id, content);
    text('stub-number', String(this.#ttlSeconds));
    this.#drawLine();
  }

  /** Shows the life of this ticket from now on. */
  follow(issued: Issued): void {
    this.#issued = issued;
    this.#record = undefined;
    this.#receivedAt = Date.now();
    this.refresh();
  }

  /** Reads the record again at once. */
  refresh(): void {
    this.#reading.abort();
    this.#reading = new AbortController();
    if (this.#issued !== undefined) void this.#read(this.#issued.id, this.#reading.signal);
  }

  async #read(id: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const record = await this.#service.record(id);
        if (signal.aborted) return;
        this.#draw(record);
        if (isOver(record)) return;
      } catch (error) {
        if (!(error instanceof ConnectRefused)) throw error;
        if (signal.aborted) return;
        byId('line-note', HTMLElement).textContent = `The record cannot be read now: ${error.code}.`;
        if (error.retry === 'never') return;
        await pause(RETRY_MS);
        continue;
      }
      const ms = this.#record?.state === 'open' && this.#sessionLeftMs() > SOON_MS ? SLOW_MS : QUICK_MS;
      await pause(ms);
    }
  }

  #draw(record: TicketRecord): void {
    if (this.#record === undefined) this.#ahead = Date.parse(record.issued_at) - this.#receivedAt;
    this.#record = record;
    const { id, subject, state, gateway, last_attempt: attempt, issued_at: issuedAt } = record;
    const usedAt = record.opened_at ?? (state === 'refused' || state === 'expired' ? attempt?.at : undefined);
    this.#ticket.dataset.state = state;
    this.#ticket.toggleAttribute('data-torn', usedAt !== undefined && state !== 'issued');
    text('ticket-id', id);
    text('ticket-subject', subject);
    text('ticket-issued', new Date(issuedAt).toLocaleTimeString('en-GB'));
    text('ticket-gateway', gateway ?? 'none yet');
    text('stamp', state === 'issued' ? '' : state);
    if (state !== 'issued') {
      const end = usedAt ?? record.expires_at;
      const ms = Date.parse(end) - Date.parse(issuedAt);
      text('stub-label', usedAt === undefined ? 'expired after' : 'presented after');
      text('stub-number', ms < 1000 ? String(ms) : (ms / 1000).toFixed(1));
      text('stub-unit', ms < 1000 ? 'ms' : 'seconds');
    }
    text('line-note', '');
    this.#drawLine();
    this.#tick();
    this.#onRecord(record);
  }

  #drawLine(): void {
    const stops = stopsOf(this.#record);
    const start = stops[0]?.at ?? 0;
    this.#line.replaceChildren(...stops.map((stop, index) => this.#stop(stop, stops[index + 1], start)));
  }

  #stop({ name, state, at, note }: Stop, next: Stop | undefined, start: number): HTMLLIElement {
    const moment =
      at === undefined ? '' : at === start && name === 'issued' ? '0 s' : `+${((at - start) / 1000).toFixed(2)} s`;
    const item = make(
      'li',
      'stop',
      make('span', 'stop-name', name),
      make('span', 'unseen', `, ${IN_WORDS[state]}`),
      ...(moment === '' ? [] : [make('span', 'stop-time', moment)]),
      ...(note ? [make('span', 'stop-note', note)] : []),
    );
    item.dataset.state = state;
    if (next !== undefined) {
      item.dataset.next = next.state;
      const burns = (state === 'reached' || state === 'failed') && next.state === 'ahead';
      if (burns) item.append(make('span', 'fuse'));
    }
    return item;
  }

  /** Draws the seconds that are left, and how far the fuse has burnt. */
  #tick(): void {
    const record = this.#record;
    if (record === undefined) return;
    const now = Date.now() + this.#ahead;
    const fuse = this.#line.querySelector<HTMLElement>('.fuse');
    if (record.state === 'issued') {
      const [from, to] = [Date.parse(record.issued_at), Date.parse(record.expires_at)];
      text('stub-number', String(Math.max(0, Math.ceil((to - now) / 1000))));
      fuse?.style.setProperty('--burnt', String(Math.min(1, Math.max(0, (now - from) / (to - from)))));
    } else if (record.state === 'open') {
      const left = Math.max(0, this.#sessionLeftMs());
      const soon = left < SOON_MS;
      if (soon) text('line-note', `The session ends in ${Math.ceil(left / 1000)} s.`);
      const opened = Date.parse(`${record.opened_at}`);
      const spent = (now - opened) / (now - opened + left);
      fuse?.style.setProperty('--burnt', String(Math.max(0.08, spent)));
    }
  }

  #sessionLeftMs(): number {
    const end = this.#record?.session_expires_at;
    return end ? Date.parse(end) - this.#ahead - Date.now() : Number.POSITIVE_INFINITY;
  }
}

/** Whether the record will not change any more, unless somebody presents the ticket again. */
function isOver({ state, opened_at: opened, closed_at: closed }: TicketRecord): boolean {
  return state !== 'issued' && (opened === null || closed !== null);
}

function text(id: string, content: string): void {
  const element = byId(id, HTMLElement);
  if (element.textContent !== content) element.textContent = content;
}
