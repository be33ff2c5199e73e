import { WebSocket as NodeWebSocket } from 'ws';
import type { WebSocketClass } from '../../../client/options.ts';

/** The class of `ws`, with the types of the standard's: Node 20 has no WebSocket. */
export const NodeSocket = NodeWebSocket as unknown as WebSocketClass<WebSocket>;
