import { cycle, upgradeRequest } from '../lib/load/exchanges.mjs';
import { startEcho } from '../lib/processes/echo.mjs';
import { readMetric } from '../lib/processes/metrics.mjs';
import { startAuthRequest, startNchan } from '../lib/processes/nginx.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';
import { startPeer } from '../lib/processes/peer.mjs';
import { countSpent, storeTokens } from '../lib/tickets/plain-tokens.mjs';
import { presented } from './oncegate.mjs';

const NCHAN_NOTE = 'nginx and the small application that it asks, together';

export const open = [
  {
    id: 'nchan',
    label: 'nginx + nchan, authorize_request',
    note: NCHAN_NOTE,
    async start(context) {
      const tokens = (count) => storeTokens(context.redis.client, count);
      const contest = await startWithNchan(context, tokens, 101);
      return { ...contest, counted: () => countSpent(context.redis.client) };
    },
  },
  {
    id: 'auth_request',
    label: 'nginx auth_request to Oncegate',
    note: 'nginx and the gateway together',
    start: startWithGateway,
  },
];

export const refuse = [
  {
    id: 'nchan',
    label: 'nginx + nchan, authorize_request says no',
    note: NCHAN_NOTE,
    start: (context) => startWithNchan(context, async (count) => cycle(['nobody'], count), 403),
  },
];

async function startWithNchan({ redis }, tokens, status) {
  const application = await startPeer('authorize', { env: { REDIS_URL: redis.url } });
  const nginx = await startNchan(application.port);
  return {
    servers: [nginx, application],
    port: nginx.port,
    usesRedis: true,
    exchanges: async (count) =>
      (await tokens(count)).map((token) => ({ request: upgradeRequest(`/?token=${token}`), status })),
  };
}

async function startWithGateway({ redis, tickets }) {
  const backEnd = await startEcho();
  const gateway = await startGateway({ redisUrl: redis.url, env: { TRUST_PROXY: '127.0.0.1' } });
  const nginx = await startAuthRequest({ admitPort: gateway.adminPort, backEndPort: backEnd.port });
  return {
    servers: [nginx, gateway],
    others: [backEnd],
    port: nginx.port,
    usesRedis: true,
    exchanges: async (count) =>
      (await tickets.issue(count)).map((ticket) => ({ request: presented(ticket), status: 101 })),
    counted: () => readMetric(gateway, 'oncegate_handshakes_total{outcome="admitted"}'),
  };
}
