import { upgradeRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/start-peer.mjs';

/** Exchanges that open a connection and close it, all of them alike. */
const openings = (count) => Array.from({ length: count }, () => ({ request: upgradeRequest('/'), status: 101 }));

export const open = [
  { id: 'ws', label: 'bare ws, no authentication', start: () => startWs([]) },
  { id: 'ws-batched', label: 'bare ws, upgrades handled in 1 ms batches', start: () => startWs(['--batched']) },
];

async function startWs(args) {
  const server = await startPeer('ws', { args });
  return { servers: [server], port: server.port, exchanges: async (count) => openings(count) };
}
