import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { upgradeRequest } from '../lib/load/exchanges.mjs';
import { haproxyRelay, nginxRelay } from '../lib/measure/relay-configurations.mjs';
import { freePort } from '../lib/processes/free-port.mjs';
import { hasCommand, requireDebianPackage } from '../lib/processes/install.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';
import { ownFolder, startServer } from '../lib/processes/servers.mjs';
import { startPeer } from '../lib/processes/start-peer.mjs';
import { presented } from './oncegate.mjs';

/**
 * What can stand in front of a WebSocket back end. Each starts on one core and is told where the back end is.
 *
 * @typedef {object} Relay
 * @property {string} id
 * @property {string} label
 * @property {string} [note]
 * @property {(site: Site) => Promise<import('../lib/processes/servers.mjs').Server>} start
 * @property {(site: Site, count: number) => Promise<string[]>} requests as many as there will be connections
 *
 * @typedef {object} Site
 * @property {number} upstreamPort
 * @property {number} connections how many there will be at most
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
  const folder = ownFolder();
  const port = await freePort();
  const file = join(folder, `${command}.conf`);
  writeFileSync(file, configuration({ port, upstreamPort, folder, connections: connections + 20 }));
  return startServer({ command, args: argsOf({ file }), folder, port });
}
