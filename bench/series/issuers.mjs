import { cycle, postRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/peer.mjs';

const AUTHORIZATION = 'Basic YWRhOmxldCBtZSBpbg==';

/** Tickets as one would write them by hand: no limits, no records, one header compared. */
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
    exchanges: async (count) => cycle([{ request, status: 201 }], count),
    counted: async () => (await redis.client.keys('ticket:*')).length,
  };
}
