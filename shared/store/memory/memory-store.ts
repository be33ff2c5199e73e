import { EventEmitter } from 'node:events';
import { isHandOver } from '../../close-codes.ts';
import type { RefusalCode } from '../../refusals.ts';
import { listedFields, pageOf, type Reading, readRecord, recordsOf, withoutEmpty } from '../record.ts';
import {
  type Admitted,
  type CloseOutcome,
  type CloseRequest,
  type ConsumeOutcome,
  type ConsumeRefusal,
  type ConsumeRequest,
  type CountOutcome,
  type CountRequest,
  type GatewayCommand,
  type IssueOutcome,
  type IssueRequest,
  type LeaseOutcome,
  type LeaseRequest,
  type ListPage,
  MAX_PAGE,
  type NoteOutcome,
  type NoteRequest,
  type RefuseOutcome,
  type RefuseRequest,
  type RenewOutcome,
  type RenewRequest,
  type RevokeOutcome,
  type RevokeRequest,
  type StoreOptions,
  type TicketList,
  type TicketRecord,
  type TicketState,
  type TicketStore,
} from '../store.ts';
import { dropUntil, type KeptRecord, MemoryRecords } from './memory-records.ts';
import {
  admitted,
  dropBindings,
  expiryHere,
  markForClosing,
  noteAttempt,
  type StoredHash,
  sameSecret,
  spentOutcome,
  splitAttempt,
} from './record-hash.ts';

/** What stores of one process share, as processes share a Redis. */
export class Memory {
  readonly records = new MemoryRecords();
  readonly counts = new Map<string, { readonly count: number; readonly until: number }>();
  readonly control = new EventEmitter();
}

export interface MemoryStoreOptions extends StoreOptions {
  /** Default: one of its own. */
  readonly memory?: Memory;
  /** The clock, Unix ms; the machine's unless a test says otherwise. */
  readonly now?: () => number;
}

const SWEEP_EVERY_MS = 10_000;

/**
 * A store of a single process. It does in memory what the Redis scripts do, in the same order. One call runs
 * within one turn of the event loop, so it is as atomic as a script.
 */
export class MemoryStore implements TicketStore {
  readonly ready = true;
  readonly #now: () => number;
  readonly #retentionMs: number;
  readonly #leaseMs: number;
  readonly #historyPerSubject: number;
  readonly #records: Memory['records'];
  readonly #counts: Memory['counts'];
  readonly #control: Memory['control'];
  readonly #listening: Array<() => void> = [];
  #sweepAt = 0;

  constructor({ memory = new Memory(), ...options }: MemoryStoreOptions) {
    this.#records = memory.records;
    this.#counts = memory.counts;
    this.#control = memory.control;
    this.#now = options.now ?? Date.now;
    this.#retentionMs = options.retentionMs;
    this.#leaseMs = options.leaseMs;
    this.#historyPerSubject = options.historyPerSubject ?? Number.MAX_SAFE_INTEGER;
  }

  async issue(request: IssueRequest): Promise<IssueOutcome> {
    const now = this.#now();
    this.#sweep(now);
    const sets = this.#records.setsOf(request.subject);
    const { pending } = sets;
    this.#records.expire(sets, now);
    if (pending.size >= request.maxPending) {
      return { code: 'pending_limit', retryAfterMs: Math.min(...pending.values()) - now };
    }
    if (this.#records.find(request.id, now) !== undefined) return { code: 'id_taken' };

    const credentialsEnd = expiryHere(now, request);
    const sessionExpiresAt = Math.min(now + request.maxSessionMs, credentialsEnd ?? Number.POSITIVE_INFINITY);
    const expiresAt = Math.min(now + request.ttlMs, sessionExpiresAt);
    const hash: StoredHash = {
      state: 'issued',
      issued_at: String(now),
      expires_at: String(expiresAt),
      session_expires_at: String(sessionExpiresAt),
      attempts: '0',
      subject: request.subject,
      secret_sha256: request.secretSha256,
      ...withoutEmpty({
        audience: request.audience,
        path: request.path,
        origin: request.origin,
        address: request.address,
        claims: request.claims,
        client_claims: request.clientClaims,
        credentials_expire_at: credentialsEnd === undefined ? undefined : String(credentialsEnd),
      }),
    };
    this.#records.put(request.id, { hash, keepUntil: expiresAt + this.#retentionMs });
    pending.set(request.id, expiresAt);
    this.#records.forget(sets, this.#historyPerSubject, now);
    return { code: 'issued', issuedAt: now, expiresAt, sessionExpiresAt };
  }

  async consume(request: ConsumeRequest): Promise<ConsumeOutcome> {
    const now = this.#now();
    const kept = this.#records.find(request.id, now);
    if (kept === undefined || !sameSecret(kept.hash, request.secretSha256)) return { code: 'ticket_unknown' };
    const { hash } = kept;
    const { subject } = hash;

    const decided = splitAttempt(hash);
    if (decided?.attemptId === request.attemptId) {
      if (decided.outcome === 'admitted') return admitted(hash, []);
      return { code: decided.outcome as RefusalCode, subject }; // only #spend and refuse write this outcome
    }

    const spent = spentOutcome(hash);
    if (spent !== undefined) {
      noteAttempt(hash, now, spent, request);
      return { code: spent, subject };
    }

    const refusal = this.#refusalOf(hash, request, now);
    if (refusal !== undefined) {
      this.#spend(hash, request, now, refusal === 'ticket_expired' ? 'expired' : 'refused', refusal);
      dropBindings(hash);
      this.#records.end(request.id, kept, Number(hash.expires_at) + this.#retentionMs);
      return { code: refusal, subject };
    }

    const replaced = this.#makeRoom(subject, request, now);
    dropUntil(this.#records.setsOf(subject).connections, now);
    this.#spend(hash, request, now, 'open', 'admitted');
    Object.assign(hash, { gateway: request.gatewayId, opened_at: String(now) });
    this.#hold(request.id, kept, now);
    return admitted(hash, replaced);
  }

  async note(request: NoteRequest): Promise<NoteOutcome> {
    const now = this.#now();
    const kept = this.#records.find(request.id, now);
    if (kept === undefined || !sameSecret(kept.hash, request.secretSha256)) return { code: 'ticket_unknown' };
    noteAttempt(kept.hash, now, request.outcome, request);
    return { code: 'noted', subject: kept.hash.subject };
  }

  async refuse({ id, attemptId, outcome, status }: RefuseRequest): Promise<RefuseOutcome> {
    const now = this.#now();
    const kept = this.#records.find(id, now);
    const decided = kept && splitAttempt(kept.hash);
    if (kept === undefined || decided?.attemptId !== attemptId || decided.outcome !== 'admitted') {
      return { code: 'not_held' };
    }
    const { hash } = kept;
    if (hash.closed_at !== undefined || hash.state === 'handed_over') return { code: 'not_held' };

    if (hash.state === 'open') hash.state = 'refused';
    hash.attempt = `${attemptId}:${outcome}`;
    hash.last_attempt_outcome = outcome;
    hash.last_attempt_status = String(status);
    delete hash.opened_at;
    dropBindings(hash);
    this.#records.end(id, kept, Math.max(now, Number(hash.expires_at)) + this.#retentionMs);
    return { code: 'refused' };
  }

  async close(request: CloseRequest): Promise<CloseOutcome> {
    const now = this.#now();
    const kept = this.#records.find(request.id, now);
    const decided = kept && splitAttempt(kept.hash);
    if (kept === undefined || decided?.attemptId !== request.attemptId || decided.outcome !== 'admitted') {
      return { code: 'not_held' };
    }
    const { hash } = kept;
    if (hash.closed_at !== undefined || hash.state === 'handed_over') return { code: 'already_closed' };

    const { closeCode, closeReason } = request;
    if (hash.state === 'open' && isHandOver(closeCode, closeReason)) {
      hash.state = 'handed_over';
    } else {
      hash.closed_at = String(now);
      if (hash.state === 'open') {
        hash.state = 'closed';
        hash.close_code = String(closeCode);
        if (closeReason !== '') hash.close_reason = closeReason;
      }
    }
    this.#records.end(request.id, kept, Math.max(now, Number(hash.expires_at)) + this.#retentionMs);
    return { code: 'closed' };
  }

  async revoke({ id, subject }: RevokeRequest): Promise<RevokeOutcome> {
    const now = this.#now();
    const kept = this.#records.find(id, now);
    if (kept === undefined || (subject !== undefined && kept.hash.subject !== subject)) return { code: 'unknown' };
    const { hash } = kept;
    const gatewayId = hash.gateway ?? '';

    if (hash.state === 'issued' && now < Number(hash.expires_at)) {
      hash.state = 'revoked';
      dropBindings(hash);
      this.#records.end(id, kept, Number(hash.expires_at) + this.#retentionMs);
      return { code: 'revoked' };
    }
    if (hash.state === 'open') {
      markForClosing(hash, 'revoked');
      return { code: 'closing', gatewayId };
    }
    if (hash.state === 'revoked' && hash.opened_at !== undefined && hash.closed_at === undefined) {
      return { code: 'closing', gatewayId };
    }
    return { code: 'ended' };
  }

  async renew(request: RenewRequest): Promise<RenewOutcome> {
    const now = this.#now();
    const hash = this.#records.find(request.id, now)?.hash;
    if (hash === undefined || hash.subject !== request.subject) return { code: 'unknown' };
    if (hash.state !== 'open') return { code: 'not_open' };
    if (request.byKey !== true) {
      const end = expiryHere(now, request);
      if (end === undefined) delete hash.credentials_expire_at;
      else hash.credentials_expire_at = String(end);
    }
    const sessionExpiresAt = Math.min(
      now + request.maxSessionMs,
      request.maxTotalMs ? Number(hash.opened_at) + request.maxTotalMs : Number.POSITIVE_INFINITY,
      Number(hash.credentials_expire_at ?? Number.POSITIVE_INFINITY),
    );
    hash.session_expires_at = String(sessionExpiresAt);
    return { code: 'renewed', sessionExpiresAt, gatewayId: hash.gateway ?? '' };
  }

  async lease(request: LeaseRequest): Promise<LeaseOutcome> {
    const now = this.#now();
    const kept = this.#records.find(request.id, now);
    if (kept === undefined || kept.hash.state === 'issued') {
      const openedAt = String(request.openedAt);
      const hash: StoredHash = {
        issued_at: openedAt,
        expires_at: openedAt,
        attempts: '1',
        ...kept?.hash,
        state: 'open',
        attempt: `${request.attemptId}:admitted`,
        subject: request.subject,
        gateway: request.gatewayId,
        opened_at: openedAt,
        session_expires_at: String(request.sessionExpiresAt),
      };
      const restored = { hash, keepUntil: kept?.keepUntil ?? 0 };
      this.#records.put(request.id, restored);
      const { pending, history } = this.#records.setsOf(request.subject);
      pending.delete(request.id);
      history.delete(request.id);
      this.#hold(request.id, restored, now);
      return { code: 'restored' };
    }
    const { hash } = kept;
    const decided = splitAttempt(hash); // none if the ticket was revoked unspent
    if (decided !== undefined && decided.attemptId !== request.attemptId) return { code: 'ended', reason: 'replaced' };
    if (hash.state !== 'open') {
      return { code: 'ended', reason: hash.close_reason === 'replaced' ? 'replaced' : 'revoked' };
    }
    this.#hold(request.id, kept, now);
    return { code: 'held', sessionExpiresAt: Number(hash.session_expires_at) };
  }

  async read(id: string): Promise<TicketRecord | null> {
    return this.#reading(id)?.record ?? null;
  }

  async list(subject: string, page: ListPage = { limit: MAX_PAGE }): Promise<TicketList> {
    const now = this.#now();
    const { pending, connections } = this.#records.setsOf(subject);
    const tickets = [...pending.keys(), ...connections.keys()].flatMap((id) => {
      const hash = this.#records.find(id, now)?.hash;
      return hash === undefined ? [] : [{ id, issuedAt: Number(hash.issued_at), hash }];
    });
    const { shown, ...next } = pageOf(tickets, page);
    const readings = shown.map(({ id, hash }) => {
      const listed = Object.fromEntries(listedFields.map((field) => [field, hash[field]]));
      return readRecord(id, listed, now, connections.get(id) ?? 0);
    });
    return { records: recordsOf(readings), ...next };
  }

  async count({ kind, key, windowMs, add }: CountRequest): Promise<CountOutcome> {
    const now = this.#now();
    this.#sweep(now);
    const name = `${kind}:${key}`;
    const found = this.#counts.get(name);
    const current = found !== undefined && now < found.until ? found : { count: 0, until: now + windowMs };
    if (add > 0) this.#counts.set(name, { ...current, count: current.count + add });
    return { count: current.count + add, resetMs: current.count + add === 0 ? 0 : current.until - now };
  }

  // No other process could read an announcement.
  async announce(): Promise<undefined> {}

  async withdraw(): Promise<void> {}

  async command(gatewayId: string, command: GatewayCommand): Promise<void> {
    this.#control.emit(channelOf(gatewayId), command);
  }

  listen(gatewayId: string, listener: (command: GatewayCommand) => void): void {
    const channel = channelOf(gatewayId);
    this.#control.on(channel, listener);
    this.#listening.push(() => this.#control.off(channel, listener));
  }

  async end(): Promise<void> {
    for (const stop of this.#listening.splice(0)) stop();
  }

  #reading(id: string): Reading | null {
    const now = this.#now();
    const kept = this.#records.find(id, now);
    if (kept === undefined) return null;
    return readRecord(id, kept.hash, now, this.#records.setsOf(kept.hash.subject).connections.get(id) ?? 0);
  }

  #refusalOf(hash: StoredHash, request: ConsumeRequest, now: number): ConsumeRefusal | undefined {
    if (now >= Number(hash.expires_at)) return 'ticket_expired';
    if (request.audience !== undefined && hash.audience !== request.audience) return 'audience_refused';
    if (hash.path !== undefined && hash.path !== request.path) return 'path_refused';
    if (hash.origin !== undefined && hash.origin !== request.origin) return 'origin_refused';
    const bound = hash.address !== undefined && hash.address === request.address;
    if (request.bindAddress && !bound) return 'address_refused';

    const full = request.maxConnections > 0 && this.#held(hash.subject, now).length >= request.maxConnections;
    return full && request.limitPolicy === 'refuse' ? 'connection_limit' : undefined;
  }

  /** The connections that take a slot of the subject. One whose lease has lapsed takes none, even if it is still in the set. */
  #held(subject: string, now: number): string[] {
    const { connections } = this.#records.setsOf(subject);
    return [...connections].filter(([, deadline]) => deadline > now).map(([held]) => held);
  }

  /** Replaces the oldest connections of the subject, so that one more fits. */
  #makeRoom(subject: string, { maxConnections }: ConsumeRequest, now: number): Admitted['replaced'] {
    if (maxConnections === 0) return [];
    const held = this.#held(subject, now);
    const openedAt = (open: string): number => Number(this.#records.find(open, now)?.hash.opened_at ?? 0);
    return held
      .sort((a, b) => openedAt(a) - openedAt(b) || (a < b ? -1 : 1))
      .slice(0, Math.max(0, held.length - maxConnections + 1))
      .map((oldest) => {
        const hash = this.#records.find(oldest, now)?.hash;
        // A revoked connection keeps its reason. A lost record is not written again.
        if (hash?.state === 'open') markForClosing(hash, 'replaced');
        this.#records.setsOf(subject).connections.delete(oldest);
        return { id: oldest, gatewayId: hash?.gateway ?? '' };
      });
  }

  #spend(
    hash: StoredHash,
    request: ConsumeRequest,
    now: number,
    state: TicketState,
    outcome: 'admitted' | RefusalCode,
  ): void {
    Object.assign(hash, { state, attempt: `${request.attemptId}:${outcome}` });
    this.#records.setsOf(hash.subject).pending.delete(request.id);
    noteAttempt(hash, now, outcome, request);
  }

  #hold(id: string, kept: KeptRecord, now: number): void {
    this.#records.setsOf(kept.hash.subject).connections.set(id, now + this.#leaseMs);
    kept.keepUntil = Math.max(kept.keepUntil, now + this.#leaseMs + this.#retentionMs);
  }

  #sweep(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_EVERY_MS;
    this.#records.sweep(now);
    for (const [name, { until }] of this.#counts) if (until <= now) this.#counts.delete(name);
  }
}

/** The prefix keeps a gateway called `error` from being the event that an EventEmitter throws. */
function channelOf(gatewayId: string): string {
  return `control:${gatewayId}`;
}
