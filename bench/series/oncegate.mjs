import { compile } from '../lib/compile.mjs';
import { upgradeRequest } from '../lib/exchanges.mjs';
import { expectGrowth } from '../lib/metrics.mjs';
import { startGateway } from '../lib/oncegate.mjs';
import { LOAD_CORE } from '../lib/pin.mjs';
import { startServer } from '../lib/servers.mjs';

export const open = [
  {
    id: 'oncegate-echo',
    label: 'Oncegate, echo mode',
    // The echo greets with a frame.
    start: async (context) => openings(context, await startGateway({ redisUrl: context.redis.url }), { frames: 1 }),
  },
  {
    id: 'oncegate-relay',
    label: 'Oncegate, relay mode',
    note: 'the gateway alone; the back end is an echo in C',
    async start(context) {
      const backEnd = await startServer({ command: compile('echo'), core: LOAD_CORE });
      const env = { UPSTREAM_URL: `ws://127.0.0.1:${backEnd.port}` };
      const gateway = await startGateway({ redisUrl: context.redis.url, env });
      return { ...(await openings(context, gateway, { frames: 0 })), others: [backEnd] };
    },
  },
];

/** Each opening has a ticket of its own, in the subprotocol, as the client SDK sends it. */
async function openings({ tickets }, gateway, { frames }) {
  const requestOf = ({ id, value }) =>
    upgradeRequest(`/~${id}`, { 'Sec-WebSocket-Protocol': `oncegate.v1, oncegate.ticket.${value}` });
  return {
    servers: [gateway],
    port: gateway.port,
    usesRedis: true,
    exchanges: async (count) =>
      (await tickets.issue(count)).map((ticket) => ({ request: requestOf(ticket), status: 101, frames })),
    verify: await expectGrowth(gateway, 'oncegate_handshakes_total{outcome="admitted"}'),
  };
}
