import type { CloseReason } from '../../shared/close-codes.ts';
import type { Retry } from '../../shared/refusals.ts';
import { closeRetry } from './generated.ts';

/** An open connection ended without the application's asking for it. */
export class ConnectionEnded extends Error {
  /** The gateway's reason; `closed` where it gave none: the network broke, or whatever is behind the gateway closed it. */
  declare readonly code: CloseReason | 'closed';
  /** The close code (RFC 6455 §7.1.5); 1006 where no Close frame came. */
  declare readonly closeCode: number;
  /** Whether to come back, as the table of close codes says (docs/close-codes.md). */
  declare readonly retry: Retry;
  /** The seconds over which a draining gateway wants its clients back. */
  declare readonly spreadSeconds: number | undefined;

  constructor(closeCode: number, reason: string) {
    const [word, spread = 0] = reason.split(';spread_seconds=') as [string, string?]; // a split has a first part
    const known = Object.hasOwn(closeRetry, word);
    super(`The connection ended: ${closeCode} ${reason}`);
    Object.assign(this, {
      name: 'ConnectionEnded',
      code: known ? word : 'closed',
      closeCode,
      // Codes to come back after although the gateway gave no reason of its own: somebody broke, or goes away.
      retry: known ? closeRetry[word] : /^10(0[156]|1[1-4])$/.test(`${closeCode}`) ? 'backoff' : 'never',
      spreadSeconds: +spread || undefined,
    });
  }
}
