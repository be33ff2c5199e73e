export type { FieldError } from '../shared/refusals.ts';
export { connect } from './connect/connect.ts';
export { type ClientCode, type ConnectCode, ConnectRefused } from './errors/connect-refused.ts';
export { ConnectionEnded } from './errors/connection-ended.ts';
export type {
  ConnectOptions,
  IssuedTicket,
  OncegateSocketOptions,
  Provider,
  ResponseLike,
  TicketRequest,
  WebSocketClass,
} from './options.ts';
export type { OncegateSocketEvents, SocketState, StateChange } from './socket/events.ts';
export { OncegateSocket } from './socket/socket.ts';
export type { Backoff } from './waiting/backoff.ts';
