// Generated from shared/refusals.ts and shared/close-codes.ts by `npm run docs`: not to be edited.

import type { Retry } from '../../shared/refusals.ts';

/** The shortest wait after a refusal, in seconds. Other refusals have none. */
export const retryAfterSeconds: Readonly<Record<string, number>> = {
  rate_limited: 10,
  pending_limit: 5,
  connection_limit: 5,
  draining: 2,
  overloaded: 5,
  store_unavailable: 2,
  authentication_unavailable: 2,
};

/** Refusals that break the rule: `backoff` for status 408 and from 429 on, `reissue` for `ticket_...`, else `never`. */
export const unexpectedRetry: Readonly<Record<string, Retry>> = {
  upstream_refused: 'never',
};

/** Whether to come back, by the reason with which a gateway closed a connection. */
export const closeRetry: Readonly<Record<string, Retry>> = {
  going_away: 'reissue',
  slow_consumer: 'backoff',
  message_rate: 'backoff',
  too_many_fragments: 'never',
  message_too_big: 'never',
  draining: 'reissue',
  upstream_lost: 'backoff',
  session_expired: 'never',
  revoked: 'never',
  replaced: 'never',
  heartbeat_missed: 'reissue',
};

/** Close codes to come back from, with `backoff`, although no gateway gave a reason. */
export const temporaryCloseCodes: readonly number[] = [1001, 1005, 1006, 1011, 1012, 1013, 1014];
