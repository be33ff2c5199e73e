import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { upgradeRequest } from '../lib/load/exchanges.mjs';
import { temporaryFolder } from '../lib/processes/cleanup.mjs';
import { freePort } from '../lib/processes/free-port.mjs';
import { hasCommand, requireDebianPackage } from '../lib/processes/install.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';
import { startPeer } from '../lib/processes/peer.mjs';
import { haproxyRelay, nginxRelay } from '../lib/processes/relay-configurations.mjs';
import { startServer } from '../lib/processes/server.mjs';
import { presented } from './oncegate.mjs';

/**
 * A relay in front of a WebSocket back end, on one core.
 *
 * @typedef {object} Relay
 * @property {string} id
 * @property {string} label
 * @property {string} [note]
 * @property {(site: Site) => Promise<import('../lib/processes/server.mjs').Server>} start
 * @property {(site: Site, count: number) => Promise<string[]>} requests one for each connection, or one for all
 *
 * @typedef {object} Site
 * @property {number} upstreamPort
 * @property {number} connections the most there will be
 * @property {{ url: string }} redis
 * @property {{ issue: (count: number) => Promise<{ id: string, value: string }[]> }} tickets
 * @property {Record<string, string>} [env] for the relays that run in Node
 */

async function plainRequests() {
  return [upgradeRequest('/')];
}

/** @type {readonly Relay[]} */
export const relays = [
  {
    id: 'nginx',
    label: 'nginx proxy_pass, as Debian configures it',
    requests: plainRequests,
    start: (site) => startConfigured('nginx', nginxRelay, ({ file }) => ['-c', file], site),
  },
  {
    id: 'haproxy',
    label: 'HAProxy',
    requests: plainRequests,
    start: (site) => startConfigured('haproxy', haproxyRelay, ({ file }) => ['-f', file], site),
  },
  {
    id: 'http-proxy',
    label: 'http-proxy-3',
    note: 'the successor of http-proxy, which has had no release since 2020',
    requests: plainRequests,
    start: ({ upstreamPort, env }) => startPeer('http-proxy', { args: [String(upstreamPort)], env }),
  },
  {
    id: 'ws-relay',
    label: 'ws to ws',
    requests: plainRequests,
    start: ({ upstreamPort, env }) => startPeer('ws-relay', { args: [String(upstreamPort)], env }),
  },
  {
    id: 'oncegate',
    label: 'Oncegate',
    start: ({ redis, upstreamPort, env }) =>
      startGateway({ redisUrl: redis.url, env: { UPSTREAM_URL: `ws://127.0.0.1:${upstreamPort}`, ...env } }),
    requests: async ({ tickets }, count) => (await tickets.issue(count)).map(presented),
  },
];

async function startConfigured(command, configuration, argsOf, { upstreamPort, connections }) {
  requireDebianPackage(command, () => hasCommand(command));
  const folder = temporaryFolder();
  const port = await freePort();
  const file = join(folder.path, `${command}.conf`);
  writeFileSync(file, configuration({ port, upstreamPort, folder: folder.path, connections: connections + 20 }));
  return startServer({ command, args: argsOf({ file }), folder, port });
}
