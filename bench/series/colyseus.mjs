import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientBinaryFrame, upgradeRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/peer.mjs';

/** Protocol.JOIN_ROOM: with this byte the client confirms that it has joined. */
const JOINED = clientBinaryFrame([10]);

export const open = [
  {
    id: 'colyseus',
    label: 'Colyseus, a seat that was reserved',
    note: 'the reservation is kept in the memory of the process',
    async start() {
      const server = await startPeer('colyseus');
      const [, seatsPort] = /^seats (\d+)$/m.exec(readFileSync(join(server.folder, 'output.log'), 'utf8'));
      const requestOf = ({ processId, roomId, sessionId }) =>
        upgradeRequest(`/${processId}/${roomId}?sessionId=${sessionId}`);
      return {
        servers: [server],
        port: server.port,
        async exchanges(count) {
          const seats = await fetch(`http://127.0.0.1:${seatsPort}/?count=${count}`, { method: 'POST' });
          const exchangeOf = (seat) => ({ request: requestOf(seat), status: 101, after: JOINED, frames: 1 });
          return (await seats.json()).map(exchangeOf);
        },
        counted: async () => Number(await (await fetch(`http://127.0.0.1:${seatsPort}/`)).text()),
      };
    },
  },
];
