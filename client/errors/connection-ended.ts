import type { CloseReason } from '../../shared/close-codes.ts';
import type { Retry } from '../../shared/refusals.ts';
import { closeRetry, temporaryCloseCodes } from './generated.ts';
import { rowOf } from './row-of.ts';

/** An open connection ended, and the application had not asked for it. */
export class ConnectionEnded extends Error {
  /** The gateway's reason; `closed` if it gave none: the network broke, or the back end closed the connection. */
  readonly code: CloseReason | 'closed';
  /** The close code (RFC 6455 §7.1.5); 1006 if no Close frame came. */
  readonly closeCode: number;
  /** Whether to come back, by the table of close codes (docs/close-codes.md). */
  readonly retry: Retry;
  /** The seconds over which an older gateway that drains wants its clients back; undefined otherwise: they are spread. */
  readonly spreadSeconds: number | undefined;

  constructor(closeCode: number, reason: string) {
    super(`The connection ended: ${closeCode} ${reason}`);
    const [word = '', spreadSeconds] = reason.split(';spread_seconds=');
    const retry = rowOf(closeRetry, word);
    this.name = 'ConnectionEnded';
    this.code = retry ? (word as CloseReason) : 'closed'; // a word that has a row is one
    this.closeCode = closeCode;
    this.retry = retry ?? (temporaryCloseCodes.includes(closeCode) ? 'backoff' : 'never');
    this.spreadSeconds = Number(spreadSeconds) || undefined;
  }
}
