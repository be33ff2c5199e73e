import { ABNORMAL_CLOSURE, type RecordedReason } from '../close-codes.ts';
import { subjectDigest } from '../ticket/ticket.ts';
import { parseCommand } from './command.ts';
import { createKeys, type Keys } from './keys.ts';
import { newestFirst, present, type RecordHash, recordOf } from './record.ts';
import type { RedisLink, Reply } from './redis-link.ts';
import {
  type CloseOutcome,
  type CloseRequest,
  type ConsumeOutcome,
  type ConsumeRefusal,
  type ConsumeRequest,
  type CountOutcome,
  type CountRequest,
  type GatewayCommand,
  type GatewayStatus,
  type IssueOutcome,
  type IssueRequest,
  type LeaseOutcome,
  type LeaseRequest,
  type NoteOutcome,
  type NoteRequest,
  type RefuseOutcome,
  type RefuseRequest,
  type RenewOutcome,
  type RenewRequest,
  type RevokeOutcome,
  type RevokeRequest,
  type StoreOptions,
  StoreUnavailable,
  type TicketRecord,
  type TicketStore,
} from './store.ts';

/** How long a gateway's announcement lives. */
export const ANNOUNCEMENT_MS = 30_000;

/** The most records that a list reads. */
const LIST_MAX = 1_000;

export interface RedisStoreOptions extends StoreOptions {
  readonly link: RedisLink;
  readonly keyPrefix: string;
}

/** The store of a fleet: one script for each operation, one round trip for each call. */
export class RedisStore implements TicketStore {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #retentionMs: number;
  readonly #leaseMs: number;
  readonly #subscriptions: Array<{ end(): void }> = [];

  constructor(options: RedisStoreOptions) {
    this.#link = options.link;
    this.#keys = createKeys(options.keyPrefix);
    this.#retentionMs = options.retentionMs;
    this.#leaseMs = options.leaseMs;
  }

  get ready(): boolean {
    return this.#link.ready;
  }

  async issue(request: IssueRequest): Promise<IssueOutcome> {
    const fields: RecordHash = {
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
    const reply = await this.#link.script(
      'issue',
      [this.#keys.ticket(request.id), this.#keys.pending(request.id)],
      [
        request.id,
        request.ttlMs,
        request.maxSessionMs,
        request.credentialsExpireAt ?? '',
        request.maxPending,
        this.#retentionMs,
        ...Object.entries(fields).flat(),
      ],
    );
    const [code, ...rest] = listOf(reply);
    switch (code) {
      case 'issued':
        return { code, issuedAt: Number(rest[0]), expiresAt: Number(rest[1]), sessionExpiresAt: Number(rest[2]) };
      case 'pending_limit':
        return { code, retryAfterMs: Number(rest[0]) };
      default:
        return { code: 'id_taken' };
    }
  }

  async consume(request: ConsumeRequest): Promise<ConsumeOutcome> {
    let replaceable: string[] = [];
    try {
      for (;;) {
        const reply = listOf(await this.#sendConsume(request, replaceable));
        if (reply[0] !== 'replace') return consumeOutcome(reply);
        // The oldest connections can be told only from their records, and scripts declare all keys.
        replaceable = listOf(reply[1]).map(String);
      }
    } catch (error) {
      if (error instanceof StoreUnavailable && error.mayHaveRun) this.#undo(request);
      throw error;
    }
  }

  async note(request: NoteRequest): Promise<NoteOutcome> {
    const reply = await this.#link.script(
      'note',
      [this.#keys.ticket(request.id)],
      [request.secretSha256, request.outcome, request.gatewayId, request.origin ?? '', request.address ?? ''],
    );
    const [code, subject] = listOf(reply);
    return code === 'noted' ? { code, subject: String(subject) } : { code: 'ticket_unknown' };
  }

  async refuse({ id, attemptId, outcome, status }: RefuseRequest): Promise<RefuseOutcome> {
    const values = [id, attemptId, outcome, status, this.#retentionMs];
    const [code] = listOf(await this.#link.script('refuse', this.#closeKeys(id), values));
    return { code: code as RefuseOutcome['code'] }; // the returns of refuse.lua
  }

  async close(request: CloseRequest): Promise<CloseOutcome> {
    const [code] = listOf(await this.#link.script('close', this.#closeKeys(request.id), this.#closeValues(request)));
    return { code: code as CloseOutcome['code'] }; // the returns of close.lua
  }

  async revoke(request: RevokeRequest): Promise<RevokeOutcome> {
    const { id } = request;
    const reply = await this.#link.script(
      'revoke',
      [this.#keys.ticket(id), this.#keys.pending(id)],
      [id, request.subject ?? '', this.#retentionMs],
    );
    const [code, gatewayId] = listOf(reply);
    if (code === 'closing') return { code, gatewayId: String(gatewayId) };
    return { code: code as 'revoked' | 'ended' | 'unknown' }; // the other returns of revoke.lua
  }

  async renew(request: RenewRequest): Promise<RenewOutcome> {
    const reply = await this.#link.script(
      'renew',
      [this.#keys.ticket(request.id)],
      [request.subject, request.maxSessionMs, request.credentialsExpireAt ?? ''],
    );
    const [code, sessionExpiresAt, gatewayId] = listOf(reply);
    if (code === 'renewed') return { code, sessionExpiresAt: Number(sessionExpiresAt), gatewayId: String(gatewayId) };
    return { code: code as 'not_open' | 'unknown' }; // the other returns of renew.lua
  }

  async lease(request: LeaseRequest): Promise<LeaseOutcome> {
    const { id } = request;
    const reply = await this.#link.script(
      'lease',
      [this.#keys.ticket(id), this.#keys.connections(id), this.#keys.pending(id)],
      [
        id,
        request.attemptId,
        request.gatewayId,
        request.subject,
        request.openedAt,
        request.sessionExpiresAt,
        this.#leaseMs,
        this.#retentionMs,
      ],
    );
    const [code, detail] = listOf(reply);
    if (code === 'held') return { code, sessionExpiresAt: Number(detail) };
    if (code === 'restored') return { code };
    return { code: 'ended', reason: detail === 'replaced' ? 'replaced' : 'revoked' };
  }

  async read(id: string): Promise<TicketRecord | null> {
    const reply = listOf(await this.#link.script('read', [this.#keys.ticket(id), this.#keys.connections(id)], [id]));
    const [now, leaseDeadline, ...pairs] = reply;
    if (pairs.length === 0) return null;
    const hash: Record<string, string> = {};
    for (let index = 0; index < pairs.length; index += 2) hash[String(pairs[index])] = String(pairs[index + 1]);
    return recordOf(id, hash, Number(now), Number(leaseDeadline));
  }

  async list(subject: string): Promise<TicketRecord[]> {
    const digest = subjectDigest(subject);
    const ids = await this.#link.run((client) =>
      Promise.all([
        client.zrange(this.#keys.pending(digest), '0', String(LIST_MAX - 1)),
        client.zrange(this.#keys.connections(digest), '0', String(LIST_MAX - 1)),
      ]),
    );
    const records = await Promise.all(ids.flat().map((id) => this.read(id)));
    return newestFirst(records, subject);
  }

  async count({ kind, key, windowMs, add }: CountRequest): Promise<CountOutcome> {
    const reply = await this.#link.script('count', [this.#keys.rate(kind, subjectDigest(key))], [windowMs, add]);
    const [count, resetMs] = listOf(reply);
    return { count: Number(count), resetMs: Number(resetMs) };
  }

  async announce({ gatewayId, startedAt, version, connections, draining }: GatewayStatus): Promise<void> {
    const key = this.#keys.gateway(gatewayId);
    const fields = { started: startedAt, version, connections, draining: draining ? 1 : 0 };
    await this.#link.run((client) => client.multi().hset(key, fields).pexpire(key, ANNOUNCEMENT_MS).exec());
  }

  async withdraw(gatewayId: string): Promise<void> {
    await this.#link.run((client) => client.del(this.#keys.gateway(gatewayId)));
  }

  async command(gatewayId: string, command: GatewayCommand): Promise<void> {
    await this.#link.run((client) => client.publish(this.#keys.control(gatewayId), JSON.stringify(command)));
  }

  listen(gatewayId: string, listener: (command: GatewayCommand) => void): void {
    const subscription = this.#link.subscribe(this.#keys.control(gatewayId), (message) => {
      const command = parseCommand(message);
      if (command !== null) listener(command);
    });
    this.#subscriptions.push(subscription);
  }

  async end(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.end();
    this.#link.end();
  }

  #sendConsume(request: ConsumeRequest, replaceable: readonly string[]): Promise<Reply> {
    const { id } = request;
    return this.#link.script(
      'consume',
      [
        this.#keys.ticket(id),
        this.#keys.connections(id),
        this.#keys.pending(id),
        ...replaceable.map((open) => this.#keys.ticket(open)),
      ],
      [
        id,
        request.secretSha256,
        request.attemptId,
        request.gatewayId,
        request.audience ?? '',
        request.path,
        request.origin ?? '',
        request.address ?? '',
        request.bindAddress ? 1 : 0,
        request.maxConnections,
        request.limitPolicy,
        this.#leaseMs,
        this.#retentionMs,
        ...replaceable,
      ],
    );
  }

  /** A consume that timed out may still run: this runs right behind it, and closes what it opened. */
  #undo({ id, attemptId }: ConsumeRequest): void {
    const values = this.#closeValues({
      id,
      attemptId,
      closeCode: ABNORMAL_CLOSURE,
      closeReason: 'store_unavailable' satisfies RecordedReason,
    });
    this.#link.sendOff('close', this.#closeKeys(id), values);
  }

  #closeKeys(id: string): string[] {
    return [this.#keys.ticket(id), this.#keys.connections(id)];
  }

  #closeValues({ id, attemptId, closeCode, closeReason }: CloseRequest): Array<string | number> {
    return [id, attemptId, closeCode, closeReason, this.#retentionMs];
  }
}

function consumeOutcome([code, subject, ...rest]: Reply[]): ConsumeOutcome {
  if (code !== 'admitted') {
    return {
      code: code as ConsumeRefusal, // the other returns of consume.lua
      ...(subject !== undefined && { subject: String(subject) }),
    };
  }
  const [audience, claims, openedAt, sessionExpiresAt, replaced] = rest;
  const pairs = listOf(replaced).map(String);
  return {
    code,
    subject: String(subject),
    ...(audience !== '' && { audience: String(audience) }),
    ...(claims !== '' && { claims: String(claims) }),
    openedAt: Number(openedAt),
    sessionExpiresAt: Number(sessionExpiresAt),
    replaced: pairs.flatMap((id, index) => (index % 2 === 0 ? [{ id, gatewayId: pairs[index + 1] ?? '' }] : [])),
  };
}

function listOf(reply: Reply | undefined): Reply[] {
  return Array.isArray(reply) ? reply : [];
}
