// Generated from shared/refusals.ts and shared/close-codes.ts by `npm run docs`: not to be edited.

import type { Retry } from '../shared/refusals.ts';

/** After which refusals to try again, and how many seconds later at least. Not after others with a status below 429. */
export const refusalAdvice: Readonly<Record<string, readonly [retry: Retry, afterSeconds?: number]>> = {
  rate_limited: ['backoff', 10],
  pending_limit: ['backoff', 5],
  ticket_missing: ['reissue'],
  ticket_malformed: ['reissue'],
  ticket_unknown: ['reissue'],
  ticket_expired: ['reissue'],
  ticket_consumed: ['reissue'],
  ticket_revoked: ['reissue'],
  connection_limit: ['backoff', 5],
  draining: ['backoff', 2],
  overloaded: ['backoff', 5],
  store_unavailable: ['backoff', 2],
  authentication_unavailable: ['backoff', 2],
  upstream_unreachable: ['backoff'],
  upstream_timeout: ['backoff'],
  upstream_refused: ['never'],
};

/** Whether to come back, by the reason for which a gateway closed a connection. */
export const closeRetry: Readonly<Record<string, Retry>> = {
  going_away: 'reissue',
  slow_consumer: 'backoff',
  message_rate: 'backoff',
  message_too_big: 'never',
  draining: 'reissue',
  upstream_lost: 'backoff',
  session_expired: 'never',
  revoked: 'never',
  replaced: 'never',
  heartbeat_missed: 'reissue',
};
