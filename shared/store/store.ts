import type { StoreCloseReason } from '../close-codes.ts';
import type { RefusalCode } from '../refusals.ts';

/**
 * What both services need of the store. Expected outcomes are values with a `code`. Every method throws
 * {@link StoreUnavailable} if the store did not answer. Any other error is a fault: an answer or a record was
 * malformed, and the caller must refuse. All times are Unix milliseconds by the store's own clock.
 */
export interface TicketStore {
  /** Stores a fresh ticket, unless its subject has too many unspent ones. */
  issue(request: IssueRequest): Promise<IssueOutcome>;
  /** Decides about a presented ticket and spends it, in one atomic step. */
  consume(request: ConsumeRequest): Promise<ConsumeOutcome>;
  /** Writes on the ticket's record an attempt that was refused before consume. The ticket stays unspent. */
  note(request: NoteRequest): Promise<NoteOutcome>;
  /** Takes back an admission that never became a connection: its record says `refused`, the subject's slot is freed. */
  refuse(request: RefuseRequest): Promise<RefuseOutcome>;
  /** Records that a connection has ended: its record says `closed`, the subject's slot is freed. */
  close(request: CloseRequest): Promise<CloseOutcome>;
  /** Revokes an unspent ticket, or marks its open connection for closing. */
  revoke(request: RevokeRequest): Promise<RevokeOutcome>;
  /** Sets a new end for the session of an open connection. */
  renew(request: RenewRequest): Promise<RenewOutcome>;
  /** Renews the lease of an open connection, and tells whether it has to close. */
  lease(request: LeaseRequest): Promise<LeaseOutcome>;
  /** The record of a ticket, or null if none is kept. */
  read(id: string): Promise<TicketRecord | null>;
  /**
   * One page of the subject's unspent tickets and open connections, newest first. Its records are without claims,
   * path, origin and address.
   *
   * @param page the first {@link MAX_PAGE} by default
   */
  list(subject: string, page?: ListPage): Promise<TicketList>;
  /** Counts events in a window of time, for all services together. */
  count(request: CountRequest): Promise<CountOutcome>;

  /**
   * Announces a gateway for the next 30 s.
   *
   * @returns `startedAt` of the announcement that it replaces; undefined if there is none
   */
  announce(gateway: GatewayStatus): Promise<number | undefined>;
  /** Deletes the announcement. */
  withdraw(gatewayId: string): Promise<void>;
  /** Sends a command to one gateway. If it is lost, the gateway learns the same from its next lease. */
  command(gatewayId: string, command: GatewayCommand): Promise<void>;
  /** Subscribes to the commands to a gateway, also after the store was down. Malformed messages are dropped. */
  listen(gatewayId: string, listener: (command: GatewayCommand) => void): void;

  /** Whether the store would answer now. */
  readonly ready: boolean;
  /** Closes the store. It must not be used afterwards. */
  end(): Promise<void>;
}

/** Options of every store. */
export interface StoreOptions {
  /** How long a record is kept once it can no longer change, in ms. */
  readonly retentionMs: number;
  /** How long a connection keeps its slot after its lease was renewed, in ms. */
  readonly leaseMs: number;
  /**
   * The most records that are kept of tickets of one subject that have ended. The next ticket of the subject has
   * the oldest deleted. No bound if absent.
   */
  readonly historyPerSubject?: number | undefined;
}

/** The store did not answer: it is down, too slow, or it returned an error. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** Whether the operation was sent: then it may have run, or may still run. */
  readonly mayHaveRun: boolean;

  constructor(message: string, options: { readonly mayHaveRun: boolean } = { mayHaveRun: false }) {
    super(message);
    this.mayHaveRun = options.mayHaveRun;
  }
}

export interface IssueRequest {
  readonly id: string;
  /** SHA-256 of the secret, lower-case hex. */
  readonly secretSha256: string;
  readonly subject: string;
  readonly audience?: string | undefined;
  readonly path?: string | undefined;
  readonly origin?: string | undefined;
  readonly address?: string | undefined;
  /** Claims that somebody vouches for: a JSON object, opaque to the store. */
  readonly claims?: string | undefined;
  /** Claims that the caller itself asked for, likewise. */
  readonly clientClaims?: string | undefined;
  readonly ttlMs: number;
  /** The longest session, counted from now. */
  readonly maxSessionMs: number;
  /** When the caller's credentials expire; absent if they do not. */
  readonly credentialsExpireAt?: number | undefined;
  /**
   * The time by the clock that decides about the credentials; absent: by the store's. If the clocks differ, the
   * credentials have as long to live here as they have there.
   */
  readonly asOf?: number | undefined;
  readonly maxPending: number;
}

export type IssueOutcome =
  | {
      readonly code: 'issued';
      readonly issuedAt: number;
      readonly expiresAt: number;
      readonly sessionExpiresAt: number;
    }
  | { readonly code: 'pending_limit'; readonly retryAfterMs: number }
  | { readonly code: 'id_taken' };

/** What a client presented, and to whom. */
interface Presentation {
  readonly id: string;
  readonly secretSha256: string;
  readonly gatewayId: string;
  readonly origin?: string | undefined;
  readonly address?: string | undefined;
}

export interface ConsumeRequest extends Presentation {
  /** Made by the gateway for this attempt. The same attempt gets the same answer each time. */
  readonly attemptId: string;
  /** The gateway's audience; without one, tickets of any audience are admitted. */
  readonly audience?: string | undefined;
  readonly path: string;
  /** Whether the ticket must be presented from the address that it was issued to. */
  readonly bindAddress: boolean;
  /** The most open connections of one subject; 0 for no limit. */
  readonly maxConnections: number;
  /** What happens at the limit: the new one is refused, or the oldest is replaced. */
  readonly limitPolicy: 'refuse' | 'replace';
}

/** The refusals that consume decides, in the order of its decisions. */
export type ConsumeRefusal = Extract<
  RefusalCode,
  | 'ticket_unknown'
  | 'ticket_revoked'
  | 'ticket_consumed'
  | 'ticket_expired'
  | 'audience_refused'
  | 'path_refused'
  | 'origin_refused'
  | 'address_refused'
  | 'connection_limit'
>;

export interface Admitted {
  readonly code: 'admitted';
  readonly subject: string;
  readonly audience?: string;
  /** Claims that somebody vouches for: a JSON object as it was issued. */
  readonly claims?: string;
  /** Claims that the caller itself asked for, likewise. */
  readonly clientClaims?: string;
  readonly openedAt: number;
  readonly sessionExpiresAt: number;
  /** Connections that were replaced; each has to be closed by its gateway. */
  readonly replaced: ReadonlyArray<{ readonly id: string; readonly gatewayId: string }>;
}

export type ConsumeOutcome =
  | Admitted
  /**
   * One of {@link ConsumeRefusal}; or, if the admission of this attempt was taken back, its refusal.
   * `subject` is absent only for `ticket_unknown`.
   */
  | { readonly code: RefusalCode; readonly subject?: string };

export interface NoteRequest extends Presentation {
  readonly outcome: RefusalCode;
}

export type NoteOutcome = { readonly code: 'noted'; readonly subject: string } | { readonly code: 'ticket_unknown' };

export interface RefuseRequest {
  readonly id: string;
  /** The attempt that was admitted. */
  readonly attemptId: string;
  readonly outcome: RefusalCode;
  /** The HTTP status of the answer to the client. That of an upstream may differ from the refusal's row. */
  readonly status: number;
}

export type RefuseOutcome = { readonly code: 'refused' | 'not_held' };

export interface CloseRequest {
  readonly id: string;
  /** The attempt that opened it, so that no other connection is closed by mistake. */
  readonly attemptId: string;
  /** RFC 6455 §7.1.5. With a hand-over ({@link isHandOver}) the record says `handed_over` instead of `closed`. */
  readonly closeCode: number;
  readonly closeReason: string;
}

export type CloseOutcome = { readonly code: 'closed' | 'already_closed' | 'not_held' };

export interface RevokeRequest {
  readonly id: string;
  /** Whose ticket it must be; if absent, anybody's (for an operator). */
  readonly subject?: string | undefined;
}

export type RevokeOutcome =
  /** It was unspent, so no connection is open. */
  | { readonly code: 'revoked' }
  /** It is open, and this gateway has to close it. */
  | { readonly code: 'closing'; readonly gatewayId: string }
  /** It had ended before, spent or unspent. */
  | { readonly code: 'ended' }
  | { readonly code: 'unknown' };

export interface RenewRequest {
  readonly id: string;
  readonly subject: string;
  /** The longest session, counted from now. */
  readonly maxSessionMs: number;
  /** The longest connection with all its renewals, counted from its opening; 0, the default, for no limit. */
  readonly maxTotalMs?: number;
  readonly credentialsExpireAt?: number | undefined;
  readonly asOf?: number | undefined;
  /**
   * Whether the caller is a back end with a key: then the credentials that the subject itself presented last, with
   * the ticket or a renewal, still bound the session. Default: false.
   */
  readonly byKey?: boolean;
}

export type RenewOutcome =
  | { readonly code: 'renewed'; readonly sessionExpiresAt: number; readonly gatewayId: string }
  | { readonly code: 'not_open' }
  | { readonly code: 'unknown' };

export interface LeaseRequest {
  readonly id: string;
  readonly attemptId: string;
  readonly gatewayId: string;
  readonly subject: string;
  readonly openedAt: number;
  readonly sessionExpiresAt: number;
}

export type LeaseOutcome =
  | { readonly code: 'held'; readonly sessionExpiresAt: number }
  /** The record was lost or is `issued` again (the store restarted or failed over). It was written again. */
  | { readonly code: 'restored' }
  /** The connection has to close, for this reason. */
  | { readonly code: 'ended'; readonly reason: StoreCloseReason };

/** The most tickets on one page of a list. */
export const MAX_PAGE = 200;

/** The place of a ticket in a list. It stays the same, whatever is issued or ends meanwhile. */
export interface ListPosition {
  readonly id: string;
  readonly issuedAt: number;
}

export interface ListPage {
  /** 1 to {@link MAX_PAGE}. */
  readonly limit: number;
  /** The last position of the page before; absent for the first page. */
  readonly after?: ListPosition | undefined;
}

export interface TicketList {
  readonly records: readonly TicketRecord[];
  /** The last position of this page, if there are more. */
  readonly next?: ListPosition;
}

export interface CountRequest {
  /** What is counted. */
  readonly kind: string;
  /** Of whom; only a digest of it is stored. */
  readonly key: string;
  readonly windowMs: number;
  /** How many to add; 0 only reads. */
  readonly add: 0 | 1;
}

export interface CountOutcome {
  readonly count: number;
  /** ms until the window ends; 0 if nothing has been counted. */
  readonly resetMs: number;
}

export const ticketStates = ['issued', 'open', 'handed_over', 'closed', 'refused', 'expired', 'revoked'] as const;
export type TicketState = (typeof ticketStates)[number];

/** A ticket's record at the moment of reading. A field without a value is absent. */
export interface TicketRecord {
  readonly id: string;
  readonly subject: string;
  readonly state: TicketState;
  readonly audience?: string;
  readonly path?: string;
  readonly origin?: string;
  readonly address?: string;
  readonly claims?: string;
  readonly clientClaims?: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly sessionExpiresAt: number;
  readonly gatewayId?: string;
  readonly openedAt?: number;
  readonly closedAt?: number;
  readonly closeCode?: number;
  readonly closeReason?: string;
  /** Attempts with the right secret, including those that were refused before consume. */
  readonly attempts: number;
  readonly lastAttempt?: {
    readonly at: number;
    readonly outcome: 'admitted' | RefusalCode;
    readonly status: number;
    readonly gatewayId: string;
    readonly origin?: string;
    readonly address?: string;
  };
}

export interface GatewayStatus {
  readonly gatewayId: string;
  readonly startedAt: number;
  readonly version: string;
  readonly connections: number;
  readonly draining: boolean;
}

/** A message on a gateway's control channel. */
export type GatewayCommand =
  | {
      readonly command: 'close';
      readonly ticket_id: string;
      readonly reason: StoreCloseReason;
    }
  | { readonly command: 'renew'; readonly ticket_id: string; readonly session_expires_at: number };
