import type { StoreCloseReason } from '../close-codes.ts';
import type { RefusalCode } from '../refusals.ts';

/**
 * What both services need of the store. Expected outcomes are values with a `code`. Every method throws
 * {@link StoreUnavailable} if the store did not answer. It throws another error if the answer or a record is
 * malformed: that is a fault, and whoever asked must refuse. All times are Unix milliseconds by the store's
 * own clock.
 */
export interface TicketStore {
  /** Stores a fresh ticket, unless its subject has too many unspent ones. */
  issue(request: IssueRequest): Promise<IssueOutcome>;
  /** Decides about a presented ticket and spends it, in one atomic step. */
  consume(request: ConsumeRequest): Promise<ConsumeOutcome>;
  /** Writes on the ticket's record an attempt that was refused before consume. The ticket stays unspent. */
  note(request: NoteRequest): Promise<NoteOutcome>;
  /** Takes an admission back that never became a connection: the record says `refused`, the subject's place is free. */
  refuse(request: RefuseRequest): Promise<RefuseOutcome>;
  /** Ends a connection: the record says `closed`, the subject's place is free. */
  close(request: CloseRequest): Promise<CloseOutcome>;
  /** Withdraws an unspent ticket, or marks the connection that it bought for closing. */
  revoke(request: RevokeRequest): Promise<RevokeOutcome>;
  /** Moves the moment at which an open connection's session ends. */
  renew(request: RenewRequest): Promise<RenewOutcome>;
  /** Keeps an open connection counted for another lease, and learns what became of it meanwhile. */
  lease(request: LeaseRequest): Promise<LeaseOutcome>;
  /** The record of a ticket, or null where none is kept. */
  read(id: string): Promise<TicketRecord | null>;
  /** The subject's unspent tickets and open connections, newest first. */
  list(subject: string): Promise<TicketRecord[]>;
  /** Counts what happens in a window of time, for all services together. */
  count(request: CountRequest): Promise<CountOutcome>;

  /** Announces a gateway for the next 30 s. */
  announce(gateway: GatewayStatus): Promise<void>;
  /** Takes the announcement back. */
  withdraw(gatewayId: string): Promise<void>;
  /** Sends a command to one gateway. It may be lost: the lease is what makes sure. */
  command(gatewayId: string, command: GatewayCommand): Promise<void>;
  /** Hears the commands to a gateway from now on, also after the store was away. Malformed messages are dropped. */
  listen(gatewayId: string, listener: (command: GatewayCommand) => void): void;

  /** Whether the store would answer now. */
  readonly ready: boolean;
  /** Lets go of the store. Nothing may be asked of it afterwards. */
  end(): Promise<void>;
}

/** What every store is made with. */
export interface StoreOptions {
  /** How long a record is kept once it can no longer change, in ms. */
  readonly retentionMs: number;
  /** For how long a connection stays counted without being renewed, in ms. */
  readonly leaseMs: number;
}

/** The store did not answer: down, too slow, or refusing. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** Whether the operation was sent, so that it may have taken place, or may still do so. */
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
  /** A JSON object, opaque to the store. */
  readonly claims?: string | undefined;
  readonly ttlMs: number;
  /** The longest session, counted from now. */
  readonly maxSessionMs: number;
  /** When the caller's credentials expire, where they do. */
  readonly credentialsExpireAt?: number | undefined;
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
  /** Made by the gateway for this attempt: asked again, the same attempt gets the same answer. */
  readonly attemptId: string;
  /** The gateway's audience; without one, tickets of any audience are taken. */
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
  /** A JSON object as it was issued. */
  readonly claims?: string;
  readonly openedAt: number;
  readonly sessionExpiresAt: number;
  /** Connections that had to make room, each to be closed by the gateway that holds it. */
  readonly replaced: ReadonlyArray<{ readonly id: string; readonly gatewayId: string }>;
}

export type ConsumeOutcome =
  | Admitted
  /**
   * One of {@link ConsumeRefusal}, or the refusal with which the admission of the same attempt was taken back.
   * `subject` is absent for `ticket_unknown` alone.
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
  /** The HTTP status that the client is answered with: an upstream's own may differ from the row's. */
  readonly status: number;
}

export type RefuseOutcome = { readonly code: 'refused' | 'not_held' };

export interface CloseRequest {
  readonly id: string;
  /** The attempt that opened it: nobody else's connection is closed by mistake. */
  readonly attemptId: string;
  /** RFC 6455 §7.1.5. */
  readonly closeCode: number;
  readonly closeReason: string;
}

export type CloseOutcome = { readonly code: 'closed' | 'already_closed' | 'not_held' };

export interface RevokeRequest {
  readonly id: string;
  /** Whose ticket it must be; without it, anybody's (an operator). */
  readonly subject?: string | undefined;
}

export type RevokeOutcome =
  /** It was unspent: nothing is open. */
  | { readonly code: 'revoked' }
  /** It is open: this gateway has to close it. */
  | { readonly code: 'closing'; readonly gatewayId: string }
  /** It had ended before. */
  | { readonly code: 'ended' }
  | { readonly code: 'unknown' };

export interface RenewRequest {
  readonly id: string;
  readonly subject: string;
  readonly maxSessionMs: number;
  readonly credentialsExpireAt?: number | undefined;
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
  /** The record was lost or fell back (a restart or a failover of the store) and was written again. */
  | { readonly code: 'restored' }
  /** The connection has to be closed, for this reason. */
  | { readonly code: 'ended'; readonly reason: StoreCloseReason };

export interface CountRequest {
  /** What is counted. */
  readonly kind: string;
  /** Of whom; only a digest of it is stored. */
  readonly key: string;
  readonly windowMs: number;
  /** How many to add; 0 only looks. */
  readonly add: 0 | 1;
}

export interface CountOutcome {
  readonly count: number;
  /** ms until the window ends; 0 where nothing has been counted. */
  readonly resetMs: number;
}

export const ticketStates = ['issued', 'open', 'closed', 'refused', 'expired', 'revoked'] as const;
export type TicketState = (typeof ticketStates)[number];

/** A ticket's record as it stands at the moment of reading. Absent rather than empty. */
export interface TicketRecord {
  readonly id: string;
  readonly subject: string;
  readonly state: TicketState;
  readonly audience?: string;
  readonly path?: string;
  readonly origin?: string;
  readonly address?: string;
  readonly claims?: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly sessionExpiresAt: number;
  readonly gatewayId?: string;
  readonly openedAt?: number;
  readonly closedAt?: number;
  readonly closeCode?: number;
  readonly closeReason?: string;
  /** Presentations with the right secret, the noted ones included. */
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

/** What is said on a gateway's control channel. */
export type GatewayCommand =
  | {
      readonly command: 'close';
      readonly ticket_id: string;
      readonly reason: StoreCloseReason;
    }
  | { readonly command: 'renew'; readonly ticket_id: string; readonly session_expires_at: number };
