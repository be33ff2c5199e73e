import { clientTextFrame, cycle, upgradeRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/peer.mjs';
import { countSpent, storeTokens } from '../lib/tickets/plain-tokens.mjs';

export const open = [
  {
    id: 'socket.io',
    label: 'Socket.IO, a middleware with GETDEL',
    note: 'the socket is open before it is known who is there',
    async start(context) {
      const tokens = (count) => storeTokens(context.redis.client, count);
      return { ...(await start(context, tokens)), counted: () => countSpent(context.redis.client) };
    },
  },
];

export const refuse = [
  {
    id: 'socket.io',
    label: 'Socket.IO, its middleware says no',
    note: 'after a 101: the refusal is a message',
    start: (context) => start(context, async (count) => cycle(['nobody'], count)),
  },
];

/** Engine.IO's open packet and the answer to CONNECT, admitted or not. */
const FRAMES = 2;

async function start({ redis }, tokens) {
  const server = await startPeer('socket.io', { env: { REDIS_URL: redis.url } });
  const request = upgradeRequest('/socket.io/?EIO=4&transport=websocket');
  const exchangeOf = (token) => ({
    request,
    status: 101,
    after: clientTextFrame(`40${JSON.stringify({ token })}`),
    frames: FRAMES,
  });
  return {
    servers: [server],
    port: server.port,
    usesRedis: true,
    exchanges: async (count) => (await tokens(count)).map(exchangeOf),
  };
}
