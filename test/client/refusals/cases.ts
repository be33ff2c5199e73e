import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';

import type { ConnectCode } from '../../../client/errors/connect-refused.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { freePort } from '../../support/machine/free-port.ts';
import { atEnd } from '../../support/machine/teardown.ts';
import { until } from '../../support/machine/wait.ts';
import { startPlainProxy } from '../../support/proxies/http-proxy.ts';
import { startTcpProxy } from '../../support/proxies/tcp-proxy.ts';
import { APPLICATION_TOKEN, SIGNED_IN, startApplication } from '../../support/services/application.ts';
import { type StoredTicket, storeTicket } from '../../support/services/in-process.ts';
import { exchange, openRaw } from '../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../support/sockets/upgrade-request.ts';
import { openWebSocket, openWithTicket } from '../../support/sockets/web-socket.ts';
import type { Issued, RefusalCase, Stage } from './stage.ts';

/** The page sends its own request, as ada, with this body. */
const asking = (body: string) => async () => ({
  request: { headers: { 'Content-Type': 'application/json', Authorization: await bearer('ada') }, body },
});

const byTicketService: ReadonlyArray<Omit<RefusalCase, 'attempted'>> = [
  { name: 'nobody is signed in', code: 'credentials_missing', status: 401, options: { headers: {} } },
  {
    name: 'the token is not a token',
    code: 'credentials_invalid',
    status: 401,
    options: { headers: { Authorization: 'Bearer nonsense' } },
  },
  {
    name: 'a request with a cookie that a form of another site could send',
    code: 'csrf_refused',
    status: 403,
    page: 'own',
    settings: async () => ({ ticket: { AUTH_FORWARD_URL: (await startApplication()).meUrl } }),
    job: () => ({ cookie: SIGNED_IN, request: { credentials: 'include' } }),
  },
  { name: 'a ticket for another subject', code: 'subject_refused', status: 403, job: asking('{"subject":"bob"}') },
  {
    name: 'a sandboxed page',
    code: 'origin_refused',
    status: 403,
    page: 'sandboxed',
    browsersOnly: true,
    settings: () => ({ ticket: { ALLOWED_ORIGINS: '*' } }),
  },
  { name: 'JSON that ends too early', code: 'request_malformed', status: 400, job: asking('{"path":') },
  {
    name: 'an invalid audience',
    code: 'request_invalid',
    status: 422,
    options: { audience: 'not an audience' },
  },
  {
    name: 'claims of 17 kB',
    code: 'payload_too_large',
    status: 413,
    options: { claims: { text: 'x'.repeat(17_000) } },
  },
  {
    name: 'an unknown address of the ticket service',
    code: 'not_found',
    status: 404,
    job: ({ site }) => ({ options: { tickets: `${site.origin()}/tickets/not/here` } }),
  },
  {
    name: 'the address of one ticket instead of that of all',
    code: 'method_not_allowed',
    status: 405,
    job: ({ site }) => ({ options: { tickets: `${site.origin()}/tickets/AAAAAAAAAAAAAAAAAAAAAA` } }),
  },
  {
    name: 'a subject with one request too many',
    code: 'rate_limited',
    status: 429,
    settings: () => ({ ticket: { MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '1' } }),
    before: ({ issue }) => issue(),
  },
  {
    name: 'a subject with one unspent ticket too many',
    code: 'pending_limit',
    status: 429,
    settings: () => ({ ticket: { MAX_PENDING_PER_SUBJECT: '1' } }),
    before: ({ issue }) => issue(),
  },
  {
    name: 'the store is down',
    code: 'store_unavailable',
    status: 503,
    before: ({ gate, tickets }) => {
      gate.cut();
      return until(() => !tickets.store.ready);
    },
  },
  {
    name: 'the application that authenticates is down',
    code: 'authentication_unavailable',
    status: 503,
    async settings() {
      const application = await startApplication();
      await application.stop();
      return { ticket: { AUTH_FORWARD_URL: application.meUrl, AUTH_JWT_SECRET: '' } };
    },
    options: { headers: { Authorization: APPLICATION_TOKEN } },
  },
];

/** Presents a ticket as another client would; the connection stays open. */
const useElsewhere = ({ gateway, origin }: Stage, { id, protocols }: Issued): Promise<unknown> =>
  openWebSocket(`ws://localhost:${gateway.port}/~${id}`, { protocols, ...(origin !== undefined && { origin }) });

const upgradeWith = ({ value }: StoredTicket): string => upgradeRequest({ target: `/?ticket=${value}` });

const openOne = async ({ gateway }: Stage): Promise<unknown> =>
  openWithTicket(gateway.port, (await storeTicket(gateway.store)).value);

const byGateway: ReadonlyArray<Omit<RefusalCase, 'attempted'>> = [
  {
    name: 'a backslash in the query',
    code: 'handshake_malformed',
    status: 400,
    options: { path: '/room?in=C:\\' },
  },
  {
    name: 'a proxy that does not pass Upgrade on',
    code: 'upgrade_required',
    status: 426,
    between: async ({ gateway }, issued) =>
      JSON.stringify({ ...issued, url: `ws://localhost:${await startPlainProxy(gateway)}` }),
  },
  {
    name: 'a gateway that takes no ticket from the subprotocol',
    code: 'ticket_missing',
    status: 401,
    settings: () => ({ gateway: { TICKET_CARRIERS: 'query,authorization' } }),
  },
  {
    name: 'a page that may get tickets but not connect',
    code: 'origin_refused',
    status: 403,
    page: 'stranger',
    browsersOnly: true,
    settings: ({ sibling }) => ({ ticket: { ALLOWED_ORIGINS: sibling.origin('127.0.0.1') } }),
  },
  {
    name: 'a ticket that was issued to another origin',
    code: 'origin_refused',
    status: 403,
    between: ({ issue }) => issue({}, { Origin: 'https://other.example' }),
  },
  {
    name: 'an address with too many failed handshakes',
    code: 'rate_limited',
    status: 429,
    settings: () => ({ gateway: { MAX_FAILED_HANDSHAKES_PER_MINUTE: '1' } }),
    before: ({ gateway }) => exchange(gateway.port, upgradeRequest()),
  },
  {
    name: 'a ticket that has expired',
    code: 'ticket_expired',
    status: 401,
    settings: () => ({ ticket: { TICKET_TTL_SECONDS: '1' } }),
    between: ({ tickets }, { id }) => until(async () => (await tickets.store.read(id))?.state === 'expired'),
  },
  {
    name: 'a ticket that another client has used',
    code: 'ticket_consumed',
    status: 401,
    between: useElsewhere,
  },
  {
    name: 'a ticket that was revoked',
    code: 'ticket_revoked',
    status: 401,
    between: (stage, issued) => stage.revoke(issued.id),
  },
  {
    name: 'a ticket that the store has lost',
    code: 'ticket_unknown',
    status: 401,
    between: async ({ redis }) => void (await redis.call('FLUSHALL')),
  },
  {
    name: 'a ticket for another audience',
    code: 'audience_refused',
    status: 403,
    settings: () => ({ gateway: { GATEWAY_AUDIENCE: 'chat' } }),
    options: { audience: 'news' },
  },
  {
    name: 'a ticket for another path',
    code: 'path_refused',
    status: 403,
    options: { path: '/room/7' },
    between: ({ issue }) => issue({ path: '/room/8' }),
  },
  {
    name: 'a ticket that was issued to another address',
    code: 'address_refused',
    status: 403,
    settings: () => ({ ticket: { TRUST_PROXY: '127.0.0.1' }, gateway: { BIND_ADDRESS: 'true' } }),
    between: ({ issue }) => issue({}, { 'X-Forwarded-For': '192.0.2.7' }),
  },
  {
    name: 'a subject with one connection too many',
    code: 'connection_limit',
    status: 429,
    settings: () => ({ gateway: { MAX_CONNECTIONS_PER_SUBJECT: '1' } }),
    before: openOne,
  },
  {
    name: 'a gateway with one connection too many',
    code: 'connection_limit',
    status: 429,
    settings: () => ({ gateway: { MAX_CONNECTIONS: '1' } }),
    before: openOne,
  },
  {
    name: 'a gateway that drains',
    code: 'draining',
    status: 503,
    settings: () => ({ gateway: { DRAIN_SECONDS: '10' } }),
    async before({ gateway }) {
      // It does not answer the Close frame, so that the gateway waits for it.
      const mute = await openRaw(gateway.port);
      mute.send(upgradeWith(await storeTicket(gateway.store)));
      await until(() => mute.received.includes('hello'), { what: 'the hello' });
      void gateway.service.drain();
    },
  },
  {
    name: 'a gateway with one pending upgrade too many',
    code: 'overloaded',
    status: 503,
    async settings({ redis }) {
      const relay = await startTcpProxy(redis);
      return { relay, gateway: { MAX_PENDING_UPGRADES: '1', REDIS_URL: `redis://127.0.0.1:${relay.port}` } };
    },
    async between({ gateway, relay }, { id }) {
      const other = await storeTicket(gateway.store);
      const deciding = relay?.hold(other.id.slice(11));
      (await openRaw(gateway.port)).send(upgradeWith(other));
      await deciding;
      // The relay also holds the note on the record: when that arrives, the refusal has been decided.
      void relay?.hold(id.slice(11)).then(relay.release);
    },
  },
  {
    name: 'the store goes down after the ticket was issued',
    code: 'store_unavailable',
    status: 503,
    between: ({ gate, gateway, tickets }) => {
      gate.cut();
      return until(() => !gateway.store.ready && !tickets.store.ready);
    },
  },
];

/** What the client finds out by itself. */
const byClient: readonly RefusalCase[] = [
  {
    name: 'no gateway at the address in the ticket',
    code: 'not_seen',
    status: null,
    attempted: true,
    settings: async () => ({ ticket: { GATEWAY_URL: `ws://localhost:${await freePort()}` } }),
  },
  {
    name: 'an address that a WebSocket does not accept',
    code: 'not_seen',
    status: null,
    attempted: false,
    options: { path: '/room?seat=3#7' },
  },
  {
    name: 'a ticket that was changed',
    code: 'not_seen',
    status: null,
    attempted: true,
    between: (_stage, { id, ...issued }) =>
      JSON.stringify({ ...issued, id, protocols: ['oncegate.v1', `oncegate.ticket.ogt_${id}.${'x'.repeat(32)}`] }),
  },
  {
    name: 'a refusal of the gateway, while the ticket service is down',
    code: 'unexplained',
    status: null,
    attempted: true,
    async between({ site, revoke }, { id }) {
      await revoke(id);
      site.serve(undefined);
    },
  },
  {
    name: 'no ticket service',
    code: 'service_unreachable',
    status: null,
    attempted: false,
    job: async () => ({ options: { tickets: `http://localhost:${await freePort()}/tickets` } }),
  },
  {
    name: 'a page that may not get tickets',
    code: 'service_unreachable',
    status: null,
    attempted: false,
    page: 'stranger',
    browsersOnly: true,
  },
  {
    name: 'a web page instead of the ticket service',
    code: 'answer_unreadable',
    status: 200,
    attempted: false,
    page: 'own',
    job: ({ site }) => ({ options: { tickets: `${site.origin()}/` } }),
  },
  {
    name: 'a 101 that is lost',
    code: 'connection_lost',
    status: null,
    attempted: true,
    between: ({ proxy }, { id }) => void proxy.loseReplyTo(id),
  },
];

/** The back end refuses, or does not answer. */
const byUpstream: readonly RefusalCase[] = [
  {
    name: 'a back end that is down',
    code: 'upstream_unreachable',
    status: 502,
    attempted: true,
    settings: async () => ({ gateway: { UPSTREAM_URL: `ws://127.0.0.1:${await freePort()}` } }),
  },
  {
    name: 'a back end that does not answer',
    code: 'upstream_timeout',
    status: 504,
    attempted: true,
    settings: async () => ({
      gateway: { UPSTREAM_URL: await startBackEnd(() => {}), UPSTREAM_HANDSHAKE_TIMEOUT_MS: '100' },
    }),
  },
  {
    name: 'a back end with a status of its own',
    code: 'upstream_refused',
    status: 409,
    attempted: true,
    settings: async () => ({
      gateway: { UPSTREAM_URL: await startBackEnd((socket) => socket.end('HTTP/1.1 409 Conflict\r\n\r\n')) },
    }),
  },
];

/** Starts a back end that answers upgrades with `answer`. Resolves with its address. */
async function startBackEnd(answer: (socket: Duplex) => void): Promise<string> {
  const server = createServer();
  const sockets: Duplex[] = [];
  server.on('upgrade', (_request, socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `ws://127.0.0.1:${address.port}`;
}

/** Every refusal that a client can get, with each way to get it. */
export const refusalCases: readonly RefusalCase[] = [
  ...byTicketService.map((row) => ({ ...row, attempted: false })),
  ...byGateway.map((row) => ({ ...row, attempted: true })),
  ...byUpstream,
  ...byClient,
];

/** The codes that `connect()` never rejects with, and the reason. */
export const neverMet = {
  request_timeout:
    'The client sends a request at once. A network that delivers a part of it for 10 s delivers no answer either.',
  ticket_malformed:
    'The client presents the ticket as it was issued. If it is changed on its way, no record says so: not_seen.',
} as const satisfies Partial<Record<ConnectCode, string>>;
