import { ABNORMAL_CLOSURE, isHandOver, type RecordedReason } from '../../close-codes.ts';
import { subjectDigest } from '../../ticket/ticket.ts';
import { parseCommand } from '../command.ts';
import { createKeys, type Keys, parseMember } from '../keys.ts';
import { pageOf, type Reading, type RecordHash, readRecord, recordsOf, withoutEmpty } from '../record.ts';
import {
  type CloseOutcome,
  type CloseRequest,
  type ConsumeOutcome,
  type ConsumeRequest,
  type CountOutcome,
  type CountRequest,
  type GatewayCommand,
  type GatewayStatus,
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
  StoreUnavailable,
  type TicketList,
  type TicketRecord,
  type TicketStore,
} from '../store.ts';
import type { RedisLink } from './redis-link.ts';
import {
  closeOutcome,
  consumeOutcome,
  countOutcome,
  type EndedTicket,
  issueOutcome,
  leaseOutcome,
  listedRecords,
  noteOutcome,
  type Reply,
  refuseOutcome,
  renewOutcome,
  revokeOutcome,
  storedRecord,
} from './replies.ts';

/** How long a gateway's announcement lives. */
export const ANNOUNCEMENT_MS = 30_000;

/** What the store needs of a link. */
type Link = Pick<RedisLink, 'ready' | 'script' | 'run' | 'sendOff' | 'subscribe' | 'end'>;

export interface RedisStoreOptions extends StoreOptions {
  readonly link: Link;
  readonly keyPrefix: string;
}

/** The store of a fleet. Each operation is one script and one round trip. */
export class RedisStore implements TicketStore {
  readonly #link: Link;
  readonly #keys: Keys;
  readonly #retentionMs: number;
  readonly #leaseMs: number;
  readonly #historyPerSubject: number;
  readonly #subscriptions: Array<{ end(): void }> = [];

  constructor(options: RedisStoreOptions) {
    this.#link = options.link;
    this.#keys = createKeys(options.keyPrefix);
    this.#retentionMs = options.retentionMs;
    this.#leaseMs = options.leaseMs;
    this.#historyPerSubject = options.historyPerSubject ?? Number.MAX_SAFE_INTEGER;
  }

  get ready(): boolean {
    return this.#link.ready;
  }

  async issue(request: IssueRequest): Promise<IssueOutcome> {
    const fields: RecordHash = {
      secret_sha256: request.secretSha256,
      ...withoutEmpty({
        audience: request.audience,
        path: request.path,
        origin: request.origin,
        address: request.address,
        claims: request.claims,
        client_claims: request.clientClaims,
      }),
    };
    const reply = await this.#link.script(
      'issue',
      [this.#keys.ticket(request.id), this.#keys.pending(request.id), this.#keys.history(request.id)],
      [
        request.id,
        request.subject,
        request.ttlMs,
        request.maxSessionMs,
        request.credentialsExpireAt ?? '',
        request.asOf ?? '',
        request.maxPending,
        this.#retentionMs,
        this.#historyPerSubject,
        ...Object.entries(fields).flat(),
      ],
    );
    const { outcome, oldest } = issueOutcome(reply);
    this.#forget(oldest);
    return outcome;
  }

  async consume(request: ConsumeRequest): Promise<ConsumeOutcome> {
    let replaceable: readonly string[] = [];
    try {
      for (;;) {
        const outcome = consumeOutcome(await this.#sendConsume(request, replaceable));
        if (outcome.code !== 'replace') return outcome;
        // Only the records tell which connections are the oldest, and a script must declare their keys.
        replaceable = outcome.ids;
      }
    } catch (error) {
      // The script may have opened the connection, or may still do so.
      if (!(error instanceof StoreUnavailable)) this.#undo(request, 'gateway_fault');
      else if (error.mayHaveRun) this.#undo(request, 'store_unavailable');
      throw error;
    }
  }

  async note(request: NoteRequest): Promise<NoteOutcome> {
    const reply = await this.#link.script(
      'note',
      [this.#keys.ticket(request.id)],
      [request.secretSha256, request.outcome, request.gatewayId, request.origin ?? '', request.address ?? ''],
    );
    return noteOutcome(reply);
  }

  async refuse({ id, attemptId, outcome, status }: RefuseRequest): Promise<RefuseOutcome> {
    const values = [id, attemptId, outcome, status, this.#retentionMs];
    return refuseOutcome(await this.#link.script('refuse', this.#closeKeys(id), values));
  }

  async close(request: CloseRequest): Promise<CloseOutcome> {
    return closeOutcome(await this.#link.script('close', this.#closeKeys(request.id), this.#closeValues(request)));
  }

  async revoke(request: RevokeRequest): Promise<RevokeOutcome> {
    const { id } = request;
    const reply = await this.#link.script(
      'revoke',
      [this.#keys.ticket(id), this.#keys.pending(id), this.#keys.history(id)],
      [id, request.subject ?? '', this.#retentionMs],
    );
    return revokeOutcome(reply);
  }

  async renew(request: RenewRequest): Promise<RenewOutcome> {
    const reply = await this.#link.script(
      'renew',
      [this.#keys.ticket(request.id)],
      [
        request.subject,
        request.maxSessionMs,
        request.credentialsExpireAt ?? '',
        request.asOf ?? '',
        request.maxTotalMs ?? 0,
        request.byKey === true ? 1 : 0,
      ],
    );
    return renewOutcome(reply);
  }

  async lease(request: LeaseRequest): Promise<LeaseOutcome> {
    const { id } = request;
    const reply = await this.#link.script(
      'lease',
      [this.#keys.ticket(id), this.#keys.connections(id), this.#keys.pending(id), this.#keys.history(id)],
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
    return leaseOutcome(reply);
  }

  async read(id: string): Promise<TicketRecord | null> {
    return (await this.#reading(id))?.record ?? null;
  }

  async list(subject: string, page: ListPage = { limit: MAX_PAGE }): Promise<TicketList> {
    const digest = subjectDigest(subject);
    const [pending, connections] = [this.#keys.pending(digest), this.#keys.connections(digest)];
    const members = await this.#link.run((client) =>
      Promise.all([client.zrange(pending, '0', '-1'), client.zrange(connections, '0', '-1')]),
    );
    const own = members.flat().flatMap((member) => {
      const parsed = parseMember(member);
      return parsed?.subject === subject ? [{ ...parsed, member }] : [];
    });
    const { shown, ...next } = pageOf(own, page);
    const reply = await this.#link.script(
      'list',
      [connections, ...shown.map(({ id }) => this.#keys.ticket(id))],
      shown.map(({ member }) => member),
    );
    const { now, listed } = listedRecords(reply, shown.length);
    const readings = listed.map(({ hash, leaseDeadline }, index) => {
      const id = shown[index]?.id ?? '';
      return hash.subject === undefined ? null : readRecord(id, hash, now, leaseDeadline);
    });
    return { records: recordsOf(readings), ...next };
  }

  async count({ kind, key, windowMs, add }: CountRequest): Promise<CountOutcome> {
    return countOutcome(await this.#link.script('count', [this.#keys.rate(kind, key)], [windowMs, add]));
  }

  async announce({ gatewayId, startedAt, version, connections, draining }: GatewayStatus): Promise<number | undefined> {
    const key = this.#keys.gateway(gatewayId);
    const fields = { started: startedAt, version, connections, draining: draining ? 1 : 0 };
    return this.#link.run(async (client) => {
      const replies = await client.multi().hget(key, 'started').hset(key, fields).pexpire(key, ANNOUNCEMENT_MS).exec();
      // A transaction does not fail as a whole if one of its commands fails.
      for (const [error] of replies ?? []) if (error !== null) throw error;
      const replaced = replies?.[0]?.[1];
      return typeof replaced === 'string' ? Number(replaced) : undefined;
    });
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

  async #reading(id: string): Promise<Reading | null> {
    const keys = [this.#keys.ticket(id), this.#keys.connections(id)];
    const stored = storedRecord(await this.#link.script('read', keys, [id]));
    return stored && readRecord(id, stored.hash, stored.now, stored.leaseDeadline);
  }

  #sendConsume(request: ConsumeRequest, replaceable: readonly string[]): Promise<Reply> {
    const { id } = request;
    return this.#link.script(
      'consume',
      [
        this.#keys.ticket(id),
        this.#keys.connections(id),
        this.#keys.pending(id),
        this.#keys.history(id),
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

  /**
   * Deletes records of which a subject has too many. Only the set tells which, and a script must declare their keys.
   * Nobody waits for it: what is not deleted now is found again by the next issue.
   */
  #forget(ended: readonly EndedTicket[]): void {
    const [first] = ended;
    if (first === undefined) return;
    const keys = [this.#keys.history(first.id), ...ended.map(({ id }) => this.#keys.ticket(id))];
    const members = ended.map(({ member }) => member);
    this.#link.script('forget', keys, members).catch(() => {});
  }

  /** Closes what a consume without a usable answer opened. If that still waits in Redis, this runs right after it. */
  #undo({ id, attemptId }: ConsumeRequest, closeReason: RecordedReason): void {
    const values = this.#closeValues({ id, attemptId, closeCode: ABNORMAL_CLOSURE, closeReason });
    this.#link.sendOff('close', this.#closeKeys(id), values);
  }

  #closeKeys(id: string): string[] {
    return [this.#keys.ticket(id), this.#keys.connections(id), this.#keys.history(id)];
  }

  #closeValues({ id, attemptId, closeCode, closeReason }: CloseRequest): Array<string | number> {
    return [id, attemptId, isHandOver(closeCode, closeReason) ? '' : closeCode, closeReason, this.#retentionMs];
  }
}
