import { randomBytes } from 'node:crypto';
import { cycle, upgradeRequest } from '../lib/load/exchanges.mjs';
import { startEcho } from '../lib/processes/echo.mjs';
import { readMetric } from '../lib/processes/metrics.mjs';
import { startGateway } from '../lib/processes/oncegate.mjs';

export const open = [
  {
    id: 'oncegate-echo',
    label: 'Oncegate, echo mode',
    // The echo sends a hello first.
    start: (context) => admitted(context, { frames: 1 }),
  },
  {
    id: 'oncegate-relay',
    label: 'Oncegate, relay mode',
    note: 'the gateway alone; the back end is an echo in C',
    async start(context) {
      const backEnd = await startEcho();
      const env = { UPSTREAM_URL: `ws://127.0.0.1:${backEnd.port}` };
      return { ...(await admitted(context, { frames: 0, env })), others: [backEnd] };
    },
  },
];

export const refuse = [
  {
    id: 'oncegate-before',
    label: 'Oncegate, before the store',
    note: 'no ticket',
    start: (context) => refused(context, 'ticket_missing', async (count) => cycle([upgradeRequest('/')], count)),
  },
  {
    id: 'oncegate-after',
    label: 'Oncegate, after the store',
    note: 'tickets that nobody issued',
    start: (context) =>
      refused(context, 'ticket_unknown', async (count) =>
        Array.from({ length: count }, () => presented(inventTicket())),
      ),
  },
  {
    id: 'oncegate-after-spent',
    label: 'Oncegate, after the store, a replay',
    note: 'tickets that were spent before; the replay is written on their records',
    start: (context) =>
      refused(context, 'ticket_consumed', async (count) => (await context.tickets.spend(count)).map(presented)),
  },
];

/** An upgrade request that carries a ticket in path and subprotocol, as the client SDK sends it. */
export function presented({ id, value }) {
  return upgradeRequest(`/~${id}`, { 'Sec-WebSocket-Protocol': `oncegate.v1, oncegate.ticket.${value}` });
}

/** A well-formed ticket without a record. */
function inventTicket() {
  const id = randomBytes(24).toString('base64url').slice(0, 22);
  return { id, value: `ogt_${id}.${randomBytes(24).toString('base64url')}` };
}

async function admitted({ redis, tickets }, { frames, env }) {
  const requests = async (count) => (await tickets.issue(count)).map(presented);
  return contestOf(await startGateway({ redisUrl: redis.url, env }), 'admitted', requests, { status: 101, frames });
}

async function refused({ redis }, outcome, requests) {
  return contestOf(await startGateway({ redisUrl: redis.url }), outcome, requests, { status: 401 });
}

function contestOf(gateway, outcome, requests, expected) {
  return {
    servers: [gateway],
    port: gateway.port,
    usesRedis: true,
    exchanges: async (count) => (await requests(count)).map((request) => ({ request, ...expected })),
    counted: () => readMetric(gateway, `oncegate_handshakes_total{outcome="${outcome}"}`),
  };
}
