import { WebSocket as NodeWebSocket } from 'ws';
import type { WebSocketClass } from '../../../client/options.ts';

/** The class for Node 20, which has none of its own. It is used as the standard's, but its types are its own. */
export const NodeSocket = NodeWebSocket as unknown as WebSocketClass<WebSocket>;
