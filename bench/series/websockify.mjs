import { randomBytes } from 'node:crypto';
import { upgradeRequest } from '../lib/load/exchanges.mjs';
import { startEcho } from '../lib/processes/echo.mjs';
import { freePort } from '../lib/processes/free-port.mjs';
import { hasCommand, hasPythonModule, requireDebianPackage } from '../lib/processes/install.mjs';
import { startServer } from '../lib/processes/server.mjs';

export const open = [
  {
    id: 'websockify',
    label: 'websockify, TokenRedis',
    note: 'a process for each connection; a token that can be used again',
    // Each takes some milliseconds.
    share: 1 / 20,
    start,
  },
];

async function start({ redis }) {
  requireDebianPackage('websockify', () => hasCommand('websockify'));
  for (const name of ['redis', 'simplejson']) requireDebianPackage(`python3-${name}`, () => hasPythonModule(name));
  // The target need not speak WebSocket: no message is sent.
  const target = await startEcho();
  const port = await freePort();
  const source = ['--token-plugin', 'TokenRedis', '--token-source', `127.0.0.1:${redis.port}`];
  const server = await startServer({ command: 'websockify', args: [...source, `127.0.0.1:${port}`], port });
  return {
    servers: [server],
    others: [target],
    port,
    usesRedis: true,
    async exchanges(count) {
      const tokens = Array.from({ length: count }, () => randomBytes(24).toString('base64url'));
      const pipeline = redis.client.pipeline();
      for (const token of tokens) pipeline.set(token, JSON.stringify({ host: `127.0.0.1:${target.port}` }), 'EX', 120);
      await pipeline.exec();
      return tokens.map((token) => ({ request: upgradeRequest(`/websockify?token=${token}`), status: 101 }));
    },
  };
}
