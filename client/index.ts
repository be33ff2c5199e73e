export type { Backoff } from './backoff.ts';
export { connect } from './connect.ts';
export { ConnectionEnded } from './ended.ts';
export type { StateChange } from './events.ts';
export type { ConnectOptions, IssuedTicket, Provider, TicketWish, WebSocketClass } from './options.ts';
export { type ClientCode, type ConnectCode, ConnectRefused } from './refused.ts';
export { OncegateSocket, type OncegateSocketEvents, type OncegateSocketOptions, type SocketState } from './socket.ts';
