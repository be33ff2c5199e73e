import { exportJWK, generateKeyPair, generateSecret } from 'jose';
import { cycle, upgradeRequest } from '../lib/load/exchanges.mjs';
import { startPeer } from '../lib/processes/peer.mjs';
import { signTokens } from '../lib/tickets/jwts.mjs';

const note = 'a token that can be used again and again, and is in the URL';

export const open = [
  {
    id: 'ws-hs256',
    label: 'ws + jose, HS256 in the query',
    note,
    async start() {
      const secret = await generateSecret('HS256', { extractable: true });
      return startWith('HS256', secret, secret);
    },
  },
  {
    id: 'ws-es256',
    label: 'ws + jose, ES256 in the query',
    note,
    async start() {
      const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
      return startWith('ES256', privateKey, publicKey);
    },
  },
];

async function startWith(algorithm, signingKey, checkingKey) {
  const env = { ALGORITHM: algorithm, KEY: JSON.stringify(await exportJWK(checkingKey)) };
  const server = await startPeer('ws-jwt', { env });
  const tokens = await signTokens(algorithm, signingKey);
  const requests = tokens.map((token) => upgradeRequest(`/?token=${token}`));
  return {
    servers: [server],
    port: server.port,
    exchanges: async (count) => cycle(requests, count).map((request) => ({ request, status: 101 })),
  };
}
