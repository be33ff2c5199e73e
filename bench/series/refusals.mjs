import { cycle, upgradeRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/peer.mjs';

/** Refusals without a store: each is the cheapest of its kind. */
export const refuse = [
  { id: 'http', label: 'a 401 of node:http', start: () => startRefusing([]) },
  { id: 'ws', label: "ws's own abort, verifyClient", start: () => startRefusing(['--ws']) },
];

async function startRefusing(args) {
  const server = await startPeer('refuse', { args });
  const request = upgradeRequest('/?ticket=nobody');
  return {
    servers: [server],
    port: server.port,
    exchanges: async (count) => cycle([{ request, status: 401 }], count),
  };
}
