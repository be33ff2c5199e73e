import { timingSafeEqual } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { closeCodes } from '../close-codes.ts';
import { type RefusalCode, rowOf } from '../refusals.ts';
import { splitTicketId, subjectDigest } from '../ticket/ticket.ts';
import { newestFirst, present, type RecordHash, recordOf } from './record.ts';
import type {
  Admitted,
  CloseOutcome,
  CloseRequest,
  ConsumeOutcome,
  ConsumeRefusal,
  ConsumeRequest,
  CountOutcome,
  CountRequest,
  GatewayCommand,
  IssueOutcome,
  IssueRequest,
  LeaseOutcome,
  LeaseRequest,
  NoteOutcome,
  NoteRequest,
  RefuseOutcome,
  RefuseRequest,
  RenewOutcome,
  RenewRequest,
  RevokeOutcome,
  RevokeRequest,
  StoreOptions,
  TicketRecord,
  TicketStore,
} from './store.ts';

export interface MemoryStoreOptions extends StoreOptions {
  /** The clock, Unix ms; the machine's unless a test says otherwise. */
  readonly now?: () => number;
}

interface Entry {
  readonly hash: RecordHash;
  /** Unix ms. */
  keepUntil: number;
}

/** What is kept for one digest, as in one slot of Redis: ids with a moment (Unix ms). */
interface SubjectSets {
  readonly pending: Map<string, number>;
  readonly connections: Map<string, number>;
}

const SWEEP_EVERY_MS = 10_000;

/**
 * The store of a single process: the same operations as the Redis scripts, in the same order, in
 * memory. One call is one turn of the event loop, which makes it as atomic as a script.
 */
export class MemoryStore implements TicketStore {
  readonly ready = true;
  readonly #now: () => number;
  readonly #retentionMs: number;
  readonly #leaseMs: number;
  readonly #records = new Map<string, Entry>();
  readonly #subjects = new Map<string, SubjectSets>();
  readonly #counts = new Map<string, { readonly count: number; readonly until: number }>();
  readonly #control = new EventEmitter();
  #sweepAt = 0;

  constructor(options: MemoryStoreOptions) {
    this.#now = options.now ?? Date.now;
    this.#retentionMs = options.retentionMs;
    this.#leaseMs = options.leaseMs;
  }

  async issue(request: IssueRequest): Promise<IssueOutcome> {
    const now = this.#now();
    this.#sweep(now);
    const { pending } = this.#setsOf(request.id);
    dropUntil(pending, now);
    if (pending.size >= request.maxPending) {
      return { code: 'pending_limit', retryAfterMs: Math.min(...pending.values()) - now };
    }
    if (this.#find(request.id, now) !== undefined) return { code: 'id_taken' };

    const sessionExpiresAt = sessionEnd(now, request);
    const expiresAt = Math.min(now + request.ttlMs, sessionExpiresAt);
    const hash: RecordHash = {
      state: 'issued',
      issued_at: String(now),
      expires_at: String(expiresAt),
      session_expires_at: String(sessionExpiresAt),
      attempts: '0',
      subject: request.subject,
      secret_sha256: request.secretSha256,
      ...present({
        audience: request.audience,
        path: request.path,
        origin: request.origin,
        address: request.address,
        claims: request.claims,
      }),
    };
    this.#records.set(request.id, { hash, keepUntil: expiresAt + this.#retentionMs });
    pending.set(request.id, expiresAt);
    return { code: 'issued', issuedAt: now, expiresAt, sessionExpiresAt };
  }

  async consume(request: ConsumeRequest): Promise<ConsumeOutcome> {
    const now = this.#now();
    const entry = this.#find(request.id, now);
    if (entry === undefined || !sameSecret(entry.hash, request.secretSha256)) return { code: 'ticket_unknown' };
    const { hash } = entry;
    const subject = hash.subject ?? '';

    const decided = splitAttempt(hash);
    if (decided?.attemptId === request.attemptId) {
      return decided.outcome === 'admitted' ? admitted(hash, []) : { code: decided.outcome as ConsumeRefusal, subject }; // refuse writes others here, of an attempt that asks no more
    }

    const spent = spentOutcome(hash);
    if (spent !== undefined) {
      noteAttempt(hash, now, spent, request);
      return { code: spent, subject };
    }

    const refusal = this.#refusalOf(hash, request, now);
    if (refusal !== undefined) {
      this.#spend(hash, request, now, refusal === 'ticket_expired' ? 'expired' : 'refused', refusal);
      return { code: refusal, subject };
    }

    const replaced = this.#makeRoom(request);
    this.#spend(hash, request, now, 'open', 'admitted');
    Object.assign(hash, { gateway: request.gatewayId, opened_at: String(now) });
    this.#hold(request.id, entry, now);
    return admitted(hash, replaced);
  }

  async note(request: NoteRequest): Promise<NoteOutcome> {
    const now = this.#now();
    const entry = this.#find(request.id, now);
    if (entry === undefined || !sameSecret(entry.hash, request.secretSha256)) return { code: 'ticket_unknown' };
    noteAttempt(entry.hash, now, request.outcome, request);
    return { code: 'noted', subject: entry.hash.subject ?? '' };
  }

  async refuse({ id, attemptId, outcome, status }: RefuseRequest): Promise<RefuseOutcome> {
    const now = this.#now();
    const entry = this.#find(id, now);
    const decided = entry && splitAttempt(entry.hash);
    if (entry === undefined || decided?.attemptId !== attemptId || decided.outcome !== 'admitted') {
      return { code: 'not_held' };
    }
    const { hash } = entry;
    if (hash.closed_at !== undefined) return { code: 'not_held' };

    this.#setsOf(id).connections.delete(id);
    if (hash.state === 'open') hash.state = 'refused';
    hash.attempt = `${attemptId}:${outcome}`;
    hash.last_attempt_outcome = outcome;
    hash.last_attempt_status = String(status);
    delete hash.opened_at;
    entry.keepUntil = Math.max(now, Number(hash.expires_at)) + this.#retentionMs;
    return { code: 'refused' };
  }

  async close(request: CloseRequest): Promise<CloseOutcome> {
    const now = this.#now();
    const entry = this.#find(request.id, now);
    const decided = entry && splitAttempt(entry.hash);
    if (entry === undefined || decided?.attemptId !== request.attemptId || decided.outcome !== 'admitted') {
      return { code: 'not_held' };
    }
    const { hash } = entry;
    if (hash.closed_at !== undefined) return { code: 'already_closed' };

    this.#setsOf(request.id).connections.delete(request.id);
    hash.closed_at = String(now);
    if (hash.state === 'open') {
      hash.state = 'closed';
      hash.close_code = String(request.closeCode);
      if (request.closeReason !== '') hash.close_reason = request.closeReason;
    }
    entry.keepUntil = Math.max(now, Number(hash.expires_at)) + this.#retentionMs;
    return { code: 'closed' };
  }

  async revoke({ id, subject }: RevokeRequest): Promise<RevokeOutcome> {
    const now = this.#now();
    const entry = this.#find(id, now);
    if (entry === undefined || (subject !== undefined && entry.hash.subject !== subject)) return { code: 'unknown' };
    const { hash } = entry;
    const gatewayId = hash.gateway ?? '';

    if (hash.state === 'issued' && now < Number(hash.expires_at)) {
      hash.state = 'revoked';
      this.#setsOf(id).pending.delete(id);
      entry.keepUntil = Number(hash.expires_at) + this.#retentionMs;
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
    const hash = this.#find(request.id, now)?.hash;
    if (hash === undefined || hash.subject !== request.subject) return { code: 'unknown' };
    if (hash.state !== 'open') return { code: 'not_open' };
    const sessionExpiresAt = sessionEnd(now, request);
    hash.session_expires_at = String(sessionExpiresAt);
    return { code: 'renewed', sessionExpiresAt, gatewayId: hash.gateway ?? '' };
  }

  async lease(request: LeaseRequest): Promise<LeaseOutcome> {
    const now = this.#now();
    const entry = this.#find(request.id, now);
    if (entry === undefined || entry.hash.state === 'issued') {
      const openedAt = String(request.openedAt);
      const hash: RecordHash = {
        issued_at: openedAt,
        expires_at: openedAt,
        attempts: '1',
        ...entry?.hash,
        state: 'open',
        attempt: `${request.attemptId}:admitted`,
        subject: request.subject,
        gateway: request.gatewayId,
        opened_at: openedAt,
        session_expires_at: String(request.sessionExpiresAt),
      };
      const restored = { hash, keepUntil: entry?.keepUntil ?? 0 };
      this.#records.set(request.id, restored);
      this.#setsOf(request.id).pending.delete(request.id);
      this.#hold(request.id, restored, now);
      return { code: 'restored' };
    }
    const { hash } = entry;
    const decided = splitAttempt(hash); // none where the ticket was revoked unspent
    if (decided !== undefined && decided.attemptId !== request.attemptId) return { code: 'ended', reason: 'replaced' };
    if (hash.state !== 'open') {
      return { code: 'ended', reason: hash.close_reason === 'replaced' ? 'replaced' : 'revoked' };
    }
    this.#hold(request.id, entry, now);
    return { code: 'held', sessionExpiresAt: Number(hash.session_expires_at) };
  }

  async read(id: string): Promise<TicketRecord | null> {
    const now = this.#now();
    const entry = this.#find(id, now);
    if (entry === undefined) return null;
    return recordOf(id, entry.hash, now, this.#setsOf(id).connections.get(id) ?? 0);
  }

  async list(subject: string): Promise<TicketRecord[]> {
    const { pending, connections } = this.#setsOf(subjectDigest(subject));
    const ids = [...pending.keys(), ...connections.keys()];
    return newestFirst(await Promise.all(ids.map((id) => this.read(id))), subject);
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

  /** Nobody else could look for it: the gateway is in this process. */
  async announce(): Promise<void> {}

  async withdraw(): Promise<void> {}

  async command(gatewayId: string, command: GatewayCommand): Promise<void> {
    this.#control.emit(channelOf(gatewayId), command);
  }

  listen(gatewayId: string, listener: (command: GatewayCommand) => void): void {
    this.#control.on(channelOf(gatewayId), listener);
  }

  async end(): Promise<void> {
    this.#control.removeAllListeners();
  }

  #find(id: string, now: number): Entry | undefined {
    const entry = this.#records.get(id);
    if (entry === undefined || now < entry.keepUntil) return entry;
    this.#records.delete(id);
    return undefined;
  }

  #setsOf(id: string): SubjectSets {
    const { digest } = splitTicketId(id);
    let sets = this.#subjects.get(digest);
    if (sets === undefined) {
      sets = { pending: new Map(), connections: new Map() };
      this.#subjects.set(digest, sets);
    }
    return sets;
  }

  #refusalOf(hash: RecordHash, request: ConsumeRequest, now: number): ConsumeRefusal | undefined {
    if (now >= Number(hash.expires_at)) return 'ticket_expired';
    if (request.audience !== undefined && hash.audience !== request.audience) return 'audience_refused';
    if (hash.path !== undefined && hash.path !== request.path) return 'path_refused';
    if (hash.origin !== undefined && hash.origin !== request.origin) return 'origin_refused';
    const bound = hash.address !== undefined && hash.address === request.address;
    if (request.bindAddress && !bound) return 'address_refused';

    const { connections } = this.#setsOf(request.id);
    dropUntil(connections, now);
    const full = request.maxConnections > 0 && connections.size >= request.maxConnections;
    return full && request.limitPolicy === 'refuse' ? 'connection_limit' : undefined;
  }

  /** Takes the oldest connections of the subject out until one more fits. */
  #makeRoom(request: ConsumeRequest): Admitted['replaced'] {
    const { connections } = this.#setsOf(request.id);
    if (request.maxConnections === 0) return [];
    const openedAt = (id: string): number => Number(this.#records.get(id)?.hash.opened_at ?? 0);
    return [...connections.keys()]
      .sort((a, b) => openedAt(a) - openedAt(b) || (a < b ? -1 : 1))
      .slice(0, Math.max(0, connections.size - request.maxConnections + 1))
      .map((id) => {
        const hash = this.#records.get(id)?.hash;
        if (hash?.state === 'open') markForClosing(hash, 'replaced');
        connections.delete(id);
        return { id, gatewayId: hash?.gateway ?? '' };
      });
  }

  #spend(
    hash: RecordHash,
    request: ConsumeRequest,
    now: number,
    state: string,
    outcome: 'admitted' | RefusalCode,
  ): void {
    Object.assign(hash, { state, attempt: `${request.attemptId}:${outcome}` });
    this.#setsOf(request.id).pending.delete(request.id);
    noteAttempt(hash, now, outcome, request);
  }

  #hold(id: string, entry: Entry, now: number): void {
    this.#setsOf(id).connections.set(id, now + this.#leaseMs);
    entry.keepUntil = Math.max(entry.keepUntil, now + this.#leaseMs + this.#retentionMs);
  }

  #sweep(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_EVERY_MS;
    for (const id of this.#records.keys()) this.#find(id, now);
    for (const [name, { until }] of this.#counts) if (until <= now) this.#counts.delete(name);
    for (const [digest, { pending, connections }] of this.#subjects) {
      dropUntil(pending, now);
      dropUntil(connections, now);
      if (pending.size + connections.size === 0) this.#subjects.delete(digest);
    }
  }
}

/** Event names of its own: a gateway may be called `error`, which an EventEmitter treats in another way. */
function channelOf(gatewayId: string): string {
  return `control:${gatewayId}`;
}

function sessionEnd(now: number, request: Pick<IssueRequest, 'maxSessionMs' | 'credentialsExpireAt'>): number {
  return Math.min(now + request.maxSessionMs, request.credentialsExpireAt ?? Number.POSITIVE_INFINITY);
}

function dropUntil(set: Map<string, number>, now: number): void {
  for (const [id, moment] of set) if (moment <= now) set.delete(id);
}

function sameSecret(hash: RecordHash, secretSha256: string): boolean {
  if (hash.secret_sha256 === undefined) return false;
  const stored = Buffer.from(hash.secret_sha256);
  const presented = Buffer.from(secretSha256);
  return stored.length === presented.length && timingSafeEqual(stored, presented);
}

function splitAttempt(hash: RecordHash): { attemptId: string; outcome: string } | undefined {
  const [attemptId, outcome] = hash.attempt?.split(':') ?? [];
  return attemptId === undefined || outcome === undefined ? undefined : { attemptId, outcome };
}

/** The refusal of a ticket that was spent before. */
function spentOutcome(hash: RecordHash): ConsumeRefusal | undefined {
  switch (hash.state) {
    case 'revoked':
      return 'ticket_revoked';
    case 'open':
    case 'closed':
    case 'refused':
      return 'ticket_consumed';
    case 'expired':
      return 'ticket_expired';
    default:
      return undefined;
  }
}

function markForClosing(hash: RecordHash, reason: 'revoked' | 'replaced'): void {
  Object.assign(hash, { state: 'revoked', close_code: String(closeCodes[reason].code), close_reason: reason });
}

function noteAttempt(
  hash: RecordHash,
  now: number,
  outcome: 'admitted' | RefusalCode,
  { gatewayId, origin, address }: Pick<NoteRequest, 'gatewayId' | 'origin' | 'address'>,
): void {
  hash.attempts = String(Number(hash.attempts) + 1);
  hash.last_attempt_at = String(now);
  hash.last_attempt_outcome = outcome;
  hash.last_attempt_status = String(outcome === 'admitted' ? 101 : rowOf(outcome).status);
  hash.last_attempt_gateway = gatewayId;
  delete hash.last_attempt_origin;
  delete hash.last_attempt_address;
  Object.assign(hash, present({ last_attempt_origin: origin, last_attempt_address: address }));
}

function admitted(hash: RecordHash, replaced: Admitted['replaced']): Admitted {
  return {
    code: 'admitted',
    subject: hash.subject ?? '',
    ...present({ audience: hash.audience, claims: hash.claims }),
    openedAt: Number(hash.opened_at),
    sessionExpiresAt: Number(hash.session_expires_at),
    replaced,
  };
}
