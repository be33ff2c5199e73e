import { postRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/start-peer.mjs';

const AUTHORIZATION = 'Basic YWRhOmxldCBtZSBpbg==';

/** Tickets by hand: no limits, no records, and one header that is compared. */
export const issue = [
  { id: 'http', label: 'node:http, HSET and PEXPIRE in an ioredis pipeline', start: (context) => start(context, []) },
  { id: 'express', label: 'the same with express, helmet and JSON', start: (context) => start(context, ['--express']) },
];

async function start({ redis }, args) {
  const server = await startPeer('issue', { args, env: { REDIS_URL: redis.url, AUTHORIZATION } });
  const request = postRequest('/tickets', {}, { Authorization: AUTHORIZATION });
  return {
    servers: [server],
    port: server.port,
    usesRedis: true,
    exchanges: async (count) => Array.from({ length: count }, () => ({ request, status: 201 })),
    counted: async () => (await redis.client.keys('ticket:*')).length,
  };
}
