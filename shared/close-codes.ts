/**
 * THE table of reasons to close an open connection. The close code, the reason on the wire, the record, the
 * metric label and `docs/close-codes.md` derive from a row. It imports nothing. Codes are those of the IANA
 * registry "WebSocket Close Code Number"; reasons stay within the 123 bytes of RFC 6455 §5.5.
 */

interface Row {
  readonly code: number;
  /** Whether the client comes back: `reissue` (with a new ticket, in a moment), `backoff` (wait first), `never`. */
  readonly retry: 'never' | 'reissue' | 'backoff';
  readonly when: string;
  /** No gateway of this version closes with it: the reason is kept for a later one. */
  readonly reserved?: true;
}

export const closeCodes = {
  going_away: { code: 1001, retry: 'reissue', when: "the gateway's process ends" },
  slow_consumer: { code: 1008, retry: 'backoff', when: 'the client does not read what it is sent' },
  message_rate: { code: 1008, retry: 'backoff', when: 'the client sends messages faster than it may', reserved: true },
  too_many_fragments: { code: 1008, retry: 'never', when: 'a message has more than 1,024 fragments' },
  message_too_big: { code: 1009, retry: 'never', when: 'a message is longer than MAX_MESSAGE_BYTES' },
  draining: {
    code: 1012,
    retry: 'reissue',
    when: 'the gateway drains; come back within a second. The reason goes on: `;spread_seconds=0;spread` says that the closes are spread already. With another number, as older gateways send it, wait for a random part of so many seconds',
  },
  upstream_lost: {
    code: 1013,
    retry: 'backoff',
    when: 'the upstream ended without a close, or stopped in the middle of a frame',
  },
  session_expired: {
    code: 3000,
    retry: 'never',
    when: 'the credentials behind the connection ran out and were not renewed',
  },
  revoked: { code: 3003, retry: 'never', when: 'the ticket of this connection was revoked' },
  replaced: { code: 3003, retry: 'never', when: 'a newer connection of the subject took its place' },
  heartbeat_missed: { code: 3008, retry: 'reissue', when: 'the client did not answer a ping within HEARTBEAT_SECONDS' },
} as const satisfies Record<string, Row>;

/**
 * What follows `draining` in a reason. The closes are spread, so that no client has to wait for a part of the spread
 * again. Clients that know no `spread` read the number.
 */
export function drainDetail(drainSeconds: number): string {
  return drainSeconds > 0 ? ';spread_seconds=0;spread' : ';spread_seconds=0';
}

export type CloseReason = keyof typeof closeCodes;

/** The reasons that reach a gateway through the store: with a command, or in the answer to a lease. */
export const storeCloseReasons = ['revoked', 'replaced'] as const satisfies readonly CloseReason[];

export type StoreCloseReason = (typeof storeCloseReasons)[number];

/** The reasons in the order of the table. */
export const closeReasons = Object.keys(closeCodes) as CloseReason[]; // the keys of a literal are its type's keys

/**
 * Close codes after which a client connects again, with `backoff`, if the gateway gave no reason. The network, a proxy
 * or the back end ended the connection, and the cause may pass. After any other code without a reason the client stops.
 */
export const temporaryCloseCodes = {
  1001: 'the far side goes away',
  1005: 'a Close frame without a code',
  1006: 'no Close frame: the network or a process broke',
  1011: 'the back end has an error',
  1012: 'the back end restarts',
  1013: 'the back end is overloaded',
  1014: 'a proxy got a broken answer from what is behind it',
} as const;

/** Reasons on the record of a connection that ended without a Close frame. They are never sent. */
export const recordedReasons = {
  client_gone: 'the client went away before it was answered with 101',
  gateway_fault: 'the gateway failed between the admission and the 101: its log says how',
  handed_over: 'a proxy was told to let it pass (forward-auth): no gateway sees the connection behind the proxy',
  store_unavailable: 'the store admitted it too late: the upgrade had been refused by then',
} as const;

export type RecordedReason = keyof typeof recordedReasons;

/** RFC 6455 §7.1.5: the connection ended without a Close frame. Never sent, only recorded. */
export const ABNORMAL_CLOSURE = 1006;

/** RFC 6455 §7.1.5: nothing is known of how the connection ended. Never sent, only recorded. */
export const NO_STATUS = 1005;

/** Whether an end means that the connection goes on behind a proxy. No Close frame has this code. */
export function isHandOver(closeCode: number, closeReason: string): boolean {
  return closeCode === NO_STATUS && closeReason === ('handed_over' satisfies RecordedReason);
}
