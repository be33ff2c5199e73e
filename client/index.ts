export { connect } from './connect/connect.ts';
export { type ClientCode, type ConnectCode, ConnectRefused } from './errors/connect-refused.ts';
export { ConnectionEnded } from './errors/connection-ended.ts';
export type { ConnectOptions, IssuedTicket, Provider, TicketWish, WebSocketClass } from './options.ts';
export type { StateChange } from './socket/events.ts';
export {
  OncegateSocket,
  type OncegateSocketEvents,
  type OncegateSocketOptions,
  type SocketState,
} from './socket/socket.ts';
export type { Backoff } from './waiting/backoff.ts';
