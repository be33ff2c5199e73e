/** What is done to get a connection: ask for a ticket, open a socket, wait for the user, for a while, or for the network. */
export type ConnectorState = 'issuing' | 'connecting' | 'signing_in' | 'waiting' | 'paused';

/** What comes with a state. */
export interface StateReason {
  /** Why: a `ConnectRefused`, a `ConnectionEnded`, or what a signal was aborted with. Undefined if all is well. */
  readonly reason?: unknown;
  /** With `waiting`: milliseconds until the next attempt. */
  readonly waitMs?: number;
  /** With `connecting`: the id of the ticket that the attempt is made with. */
  readonly ticketId?: string;
}

export type StateListener = (state: ConnectorState, why?: StateReason) => void;
