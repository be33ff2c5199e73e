import { cycle, upgradeRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/peer.mjs';

export const open = [
  { id: 'ws', label: 'bare ws, no authentication', start: () => startWs([]) },
  { id: 'ws-batched', label: 'bare ws, upgrades handled in 1 ms batches', start: () => startWs(['--batched']) },
];

async function startWs(args) {
  const server = await startPeer('ws', { args });
  const opening = { request: upgradeRequest('/'), status: 101 };
  return { servers: [server], port: server.port, exchanges: async (count) => cycle([opening], count) };
}
