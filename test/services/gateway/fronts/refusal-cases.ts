import { randomUUID } from 'node:crypto';
import type { RefusalCode } from '../../../../shared/refusals.ts';
import type { IssueRequest } from '../../../../shared/store/store.ts';
import { hashSecret } from '../../../../shared/ticket/ticket.ts';
import { until } from '../../../support/machine/wait.ts';
import {
  type Environment,
  type InProcess,
  type StoredTicket,
  storeTicket,
} from '../../../support/services/in-process.ts';
import { clientFrame } from '../../../support/sockets/frames.ts';
import { exchange, openRaw } from '../../../support/sockets/raw-client.ts';
import { type UpgradeRequestOptions, upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { type Stage, turn } from '../stage.ts';

export interface RefusalCase {
  readonly name: string;
  readonly code: RefusalCode;
  readonly env?: Environment;
  /** How the ticket of the case is issued. */
  readonly issue?: Partial<IssueRequest>;
  /** Brings about the situation. What it does is not counted as part of the case. */
  readonly before?: (stage: Stage) => Promise<unknown>;
  /** What the client sends. */
  readonly bytes: (ticket: StoredTicket) => string | Buffer;
  /** Runs once the bytes are on their way. */
  readonly meanwhile?: (stage: Stage) => Promise<unknown>;
  /**
   * The ticket's record afterwards: nothing written, only the attempt noted, spent by this attempt
   * (`refused`), or these fields.
   */
  readonly record: 'untouched' | 'noted' | 'spent' | Readonly<Record<string, string>>;
  /** A part of the reason on the log line. Default: there is none. */
  readonly reason?: string;
  /** Whose ticket it was is on the log line, unless the ticket was not recognised. */
  readonly subject?: null;
}

/** Ticket in the query, on a path of its own. */
const good = (ticket: StoredTicket, options: UpgradeRequestOptions = {}): string =>
  upgradeRequest({ target: `/?ticket=${ticket.value}`, ...options });
const withHeaders =
  (headers: NonNullable<UpgradeRequestOptions['headers']>) =>
  (ticket: StoredTicket): string =>
    good(ticket, { headers });

/** Opens a connection that answers nothing, not even a Close frame. */
async function openMute(port: number, ticket: StoredTicket): Promise<void> {
  const client = await openRaw(port);
  client.send(good(ticket));
  await until(() => client.received.includes('hello'), { what: 'the hello' });
}

/** A refused request has its refusal noted, unless it says otherwise: wherever a ticket can be read. */
type Broken<Given extends keyof RefusalCase> = Omit<RefusalCase, Given | 'record'> &
  Partial<Pick<RefusalCase, 'record'>>;

const broken: ReadonlyArray<Broken<'code'>> = [
  {
    name: 'tickets in the query and in Authorization',
    bytes: (ticket) => good(ticket, { headers: { Authorization: `Ticket ${ticket.value}` } }),
  },
  {
    name: 'tickets in the query and in the subprotocol',
    bytes: (ticket) => good(ticket, { headers: { 'Sec-WebSocket-Protocol': `oncegate.ticket.${ticket.value}` } }),
  },
  {
    name: 'tickets in the subprotocol and in Authorization',
    bytes: (ticket) =>
      upgradeRequest({
        headers: {
          'Sec-WebSocket-Protocol': `oncegate.ticket.${ticket.value}`,
          Authorization: `Ticket ${ticket.value}`,
        },
      }),
  },
  {
    name: 'the same ticket twice in the query',
    bytes: (ticket) => upgradeRequest({ target: `/?ticket=${ticket.value}&ticket=${ticket.value}` }),
  },
  {
    name: 'a second ticket under a percent-encoded name',
    bytes: (ticket) => upgradeRequest({ target: `/?ticket=${ticket.value}&%74icket=${ticket.value}` }),
  },
  {
    name: 'two tickets, of which one has a wrong secret',
    bytes: (ticket) => upgradeRequest({ target: `/?ticket=${ticket.value}&ticket=ogt_${ticket.id}.${'x'.repeat(32)}` }),
  },
  {
    name: 'two tickets, of which the first is unknown',
    bytes: (ticket) =>
      upgradeRequest({ target: `/?ticket=ogt_${'A'.repeat(22)}.${'x'.repeat(32)}&ticket=${ticket.value}` }),
  },
  {
    name: 'a ticket beside a parameter of the application with the same name',
    bytes: (ticket) => good(ticket, { target: `/?ticket=42&ticket=${ticket.value}` }),
  },
  {
    name: 'a ticket in a carrier that is not accepted beside one that is',
    env: { TICKET_CARRIERS: 'authorization' },
    bytes: (ticket) => good(ticket, { headers: { Authorization: `Ticket ${ticket.value}` } }),
  },
  { name: 'HTTP/1.0', bytes: (ticket) => good(ticket, { version: 'HTTP/1.0' }) },
  { name: 'no Host', bytes: withHeaders({ Host: null }) },
  { name: 'an empty Host', bytes: withHeaders({ Host: '' }) },
  { name: 'two Hosts', bytes: withHeaders({ Host: ['gateway.example', 'gateway.example'] }) },
  {
    name: 'a body with a length',
    bytes: (ticket) => `${good(ticket, { headers: { 'Content-Length': '5' } })}hello`,
  },
  {
    name: 'a chunked body',
    bytes: (ticket) => `${good(ticket, { headers: { 'Transfer-Encoding': 'chunked' } })}5\r\nhello\r\n0\r\n\r\n`,
  },
  { name: 'the announcement of a body that does not come', bytes: withHeaders({ 'Content-Length': '5' }) },
  {
    name: 'a frame before the 101',
    bytes: (ticket) => Buffer.concat([Buffer.from(good(ticket)), clientFrame(1, 'early')]),
  },
  { name: 'two pipelined upgrades', bytes: (ticket) => good(ticket) + good(ticket) },
  { name: 'no version', bytes: withHeaders({ 'Sec-WebSocket-Version': null }) },
  { name: 'no key', bytes: withHeaders({ 'Sec-WebSocket-Key': null }) },
  { name: 'a key of 15 bytes', bytes: withHeaders({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' }) },
  {
    name: 'two keys',
    bytes: withHeaders({ 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] }),
  },
  { name: 'an empty list of subprotocols', bytes: withHeaders({ 'Sec-WebSocket-Protocol': '' }) },
  { name: 'a subprotocol that is no token', bytes: withHeaders({ 'Sec-WebSocket-Protocol': 'chat, a/b' }) },
  { name: 'a subprotocol twice', bytes: withHeaders({ 'Sec-WebSocket-Protocol': ['chat', 'chat'] }) },
  { name: 'two Origins', bytes: withHeaders({ Origin: ['http://gateway.example', 'http://evil.example'] }) },
  { name: 'two Authorizations', bytes: withHeaders({ Authorization: ['Basic YTpi', 'Basic YTpi'] }) },
  {
    name: 'an absolute-form target',
    bytes: (ticket) => good(ticket, { target: `http://evil.example/?ticket=${ticket.value}` }),
  },
  {
    name: 'a path that careless parsers take for a host',
    bytes: (ticket) => good(ticket, { target: `//evil.example/?ticket=${ticket.value}` }),
  },
  {
    name: 'such a path behind the id segment',
    bytes: (ticket) => good(ticket, { target: `/~${ticket.id}//evil.example?ticket=${ticket.value}` }),
  },
  {
    name: 'a backslash in the path',
    bytes: (ticket) => good(ticket, { target: `/\\evil.example?ticket=${ticket.value}` }),
  },
  {
    name: 'headers above the limit of Node, of which one is there twice',
    bytes: (ticket) =>
      good(ticket, { headers: { Cookie: `a=${'x'.repeat(31_000)}`, Origin: ['http://a', 'http://b'] } }),
  },
  {
    name: 'more than 100 headers',
    bytes: (ticket) => good(ticket, { headers: { 'X-Padding': Array.from({ length: 96 }, String) } }),
  },
  {
    name: 'a head that is larger than any that is read',
    bytes: (ticket) => good(ticket, { headers: { Cookie: `a=${'x'.repeat(33_000)}` } }),
    record: 'untouched',
  },
  {
    name: 'bytes that are no HTTP',
    bytes: () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    record: 'untouched',
  },
];
const malformed = broken.map((row): RefusalCase => ({ record: 'noted', ...row, code: 'handshake_malformed' }));

const notAnUpgrade: ReadonlyArray<Broken<never>> = [
  { name: 'version 8', code: 'upgrade_required', bytes: withHeaders({ 'Sec-WebSocket-Version': '8' }) },
  { name: 'version 14', code: 'upgrade_required', bytes: withHeaders({ 'Sec-WebSocket-Version': '14' }) },
  { name: 'an upgrade to something else', code: 'upgrade_required', bytes: withHeaders({ Upgrade: 'h2c' }) },
  {
    name: 'a plain GET',
    code: 'upgrade_required',
    bytes: withHeaders({ Upgrade: null, Connection: 'keep-alive' }),
  },
  {
    name: 'what a proxy makes of an upgrade that it does not pass on',
    code: 'upgrade_required',
    bytes: (ticket) =>
      upgradeRequest({
        target: `/~${ticket.id}/`,
        version: 'HTTP/1.0',
        headers: {
          Upgrade: null,
          Connection: 'close',
          'Sec-WebSocket-Protocol': `oncegate.v1, oncegate.ticket.${ticket.value}`,
        },
      }),
  },
  {
    name: 'a plain GET without a ticket',
    code: 'upgrade_required',
    bytes: () => upgradeRequest({ headers: { Upgrade: null } }),
    record: 'untouched',
  },
  { name: 'an upgrade by POST', code: 'method_not_allowed', bytes: (ticket) => good(ticket, { method: 'POST' }) },
  {
    name: 'a plain POST',
    code: 'method_not_allowed',
    bytes: (ticket) => good(ticket, { method: 'POST', headers: { Upgrade: null, 'Content-Length': '0' } }),
  },
  {
    name: 'a CONNECT',
    code: 'method_not_allowed',
    bytes: () => 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n',
    record: 'untouched',
  },
  {
    name: 'a CONNECT with a ticket',
    code: 'method_not_allowed',
    bytes: ({ value }) =>
      `CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nAuthorization: Ticket ${value}\r\n\r\n`,
  },
];
const syntax = notAnUpgrade.map((row): RefusalCase => ({ record: 'noted', ...row }));

const tickets: RefusalCase[] = [
  { name: 'no ticket', code: 'ticket_missing', bytes: () => upgradeRequest(), record: 'untouched' },
  {
    name: 'a ticket in the query where it is not accepted there',
    code: 'ticket_missing',
    env: { TICKET_CARRIERS: 'subprotocol,authorization' },
    bytes: (ticket) => good(ticket),
    record: 'noted',
  },
  {
    name: 'a ticket in the subprotocol where it is not accepted there',
    code: 'ticket_missing',
    env: { TICKET_CARRIERS: 'query,authorization' },
    bytes: (ticket) => upgradeRequest({ headers: { 'Sec-WebSocket-Protocol': `oncegate.ticket.${ticket.value}` } }),
    record: 'noted',
  },
  {
    name: 'a ticket in Authorization where it is not accepted there',
    code: 'ticket_missing',
    env: { TICKET_CARRIERS: 'query,subprotocol' },
    bytes: (ticket) => upgradeRequest({ headers: { Authorization: `Ticket ${ticket.value}` } }),
    record: 'noted',
  },
  {
    name: 'a ticket that lacks a character',
    code: 'ticket_malformed',
    bytes: (ticket) => upgradeRequest({ target: `/?ticket=${ticket.value.slice(0, -1)}` }),
    record: 'untouched',
  },
  {
    name: 'a bare Authorization: Ticket',
    code: 'ticket_malformed',
    bytes: () => upgradeRequest({ headers: { Authorization: 'Ticket' } }),
    record: 'untouched',
  },
  {
    name: 'a wrong secret',
    code: 'ticket_unknown',
    bytes: ({ id }) => upgradeRequest({ target: `/?ticket=ogt_${id}.${'x'.repeat(32)}` }),
    record: 'untouched',
    subject: null,
  },
  {
    name: 'a ticket that has expired',
    code: 'ticket_expired',
    issue: { ttlMs: 1 },
    before: ({ gateway, ticket }) => until(async () => (await gateway.store.read(ticket.id))?.state === 'expired'),
    bytes: (ticket) => good(ticket),
    record: { state: 'expired', attempts: '1', last_attempt_outcome: 'ticket_expired', last_attempt_status: '401' },
  },
  {
    name: 'a ticket that was consumed',
    code: 'ticket_consumed',
    before: ({ gateway, ticket }) => consumeElsewhere(gateway, ticket),
    bytes: (ticket) => good(ticket),
    record: {
      state: 'open',
      gateway: 'elsewhere',
      attempts: '2',
      last_attempt_outcome: 'ticket_consumed',
      last_attempt_status: '401',
    },
  },
  {
    name: 'a ticket that was revoked',
    code: 'ticket_revoked',
    before: ({ gateway, ticket }) => gateway.store.revoke({ id: ticket.id }),
    bytes: (ticket) => good(ticket),
    record: { state: 'revoked', attempts: '1', last_attempt_outcome: 'ticket_revoked', last_attempt_status: '401' },
  },
];

const bound: RefusalCase[] = [
  {
    name: 'a ticket for another audience',
    code: 'audience_refused',
    env: { GATEWAY_AUDIENCE: 'chat' },
    issue: { audience: 'Chat' },
    bytes: (ticket) => good(ticket),
    record: 'spent',
  },
  {
    name: 'a ticket for no audience at a gateway that serves one',
    code: 'audience_refused',
    env: { GATEWAY_AUDIENCE: 'chat' },
    bytes: (ticket) => good(ticket),
    record: 'spent',
  },
  {
    name: 'a ticket for another path',
    code: 'path_refused',
    issue: { path: '/room/7' },
    bytes: (ticket) => good(ticket, { target: `/room/8?ticket=${ticket.value}` }),
    record: 'spent',
  },
  {
    name: 'a ticket for another path than what is behind the id segment',
    code: 'path_refused',
    issue: { path: '/room/7' },
    bytes: (ticket) => good(ticket, { target: `/~${ticket.id}/room/7/?ticket=${ticket.value}` }),
    record: 'spent',
  },
  {
    name: 'a ticket that was issued to another origin',
    code: 'origin_refused',
    env: { ALLOWED_ORIGINS: '*' },
    issue: { origin: 'http://a.example' },
    bytes: withHeaders({ Origin: 'http://a.example:8080' }),
    record: 'spent',
  },
  {
    name: 'a ticket that was issued to an origin, without any',
    code: 'origin_refused',
    issue: { origin: 'http://a.example' },
    bytes: (ticket) => good(ticket),
    record: 'spent',
  },
  {
    name: 'a ticket that was issued to another address',
    code: 'address_refused',
    env: { BIND_ADDRESS: 'true' },
    issue: { address: '192.0.2.7' },
    bytes: (ticket) => good(ticket),
    record: 'spent',
  },
  {
    name: 'an X-Forwarded-For with the right address from whoever is no proxy of ours',
    code: 'address_refused',
    env: { BIND_ADDRESS: 'true', TRUST_PROXY: '198.51.100.0/24' },
    issue: { address: '192.0.2.7' },
    bytes: withHeaders({ 'X-Forwarded-For': '192.0.2.7' }),
    record: 'spent',
  },
  {
    name: 'the right address in X-Forwarded-For in front of the one that our proxy added',
    code: 'address_refused',
    env: { BIND_ADDRESS: 'true', TRUST_PROXY: '127.0.0.1' },
    issue: { address: '192.0.2.7' },
    bytes: withHeaders({ 'X-Forwarded-For': '192.0.2.7, 192.0.2.8' }),
    record: {
      state: 'refused',
      attempts: '1',
      last_attempt_outcome: 'address_refused',
      last_attempt_status: '403',
      last_attempt_address: '192.0.2.8',
    },
  },
  {
    name: 'one connection too many of a subject',
    code: 'connection_limit',
    env: { MAX_CONNECTIONS_PER_SUBJECT: '1' },
    before: async ({ gateway }) => openMute(gateway.port, await storeTicket(gateway.store)),
    bytes: (ticket) => good(ticket),
    record: 'spent',
  },
];

const early: RefusalCase[] = [
  {
    name: 'the origin null where every origin is allowed',
    code: 'origin_refused',
    env: { ALLOWED_ORIGINS: '*' },
    bytes: withHeaders({ Origin: 'null' }),
    record: 'noted',
  },
  {
    name: 'an origin that is not in the list',
    code: 'origin_refused',
    env: { ALLOWED_ORIGINS: 'https://app.example,https://gateway.example' },
    bytes: withHeaders({ Origin: 'http://gateway.example' }),
    reason: 'the word self',
    record: 'noted',
  },
  {
    name: 'an origin of another host, where none are listed',
    code: 'origin_refused',
    bytes: withHeaders({ Origin: 'http://gateway.example.evil.example' }),
    record: 'noted',
  },
  {
    name: 'an empty Origin',
    code: 'origin_refused',
    bytes: withHeaders({ Origin: '' }),
    record: { state: 'issued', attempts: '1', last_attempt_outcome: 'origin_refused', last_attempt_status: '403' },
  },
  {
    name: 'an X-Forwarded-Host from whoever is no proxy of ours',
    code: 'origin_refused',
    env: { TRUST_PROXY: '198.51.100.1' },
    bytes: withHeaders({ Origin: 'https://app.example', 'X-Forwarded-Host': 'app.example' }),
    record: 'noted',
  },
  {
    name: 'an origin that has only the inner Host, behind a proxy of ours',
    code: 'origin_refused',
    env: { TRUST_PROXY: '127.0.0.1' },
    bytes: withHeaders({ Origin: 'https://gateway.example', 'X-Forwarded-Host': 'app.example' }),
    record: 'noted',
  },
  {
    name: 'one connection too many of the gateway',
    code: 'connection_limit',
    env: { MAX_CONNECTIONS: '1' },
    before: async ({ gateway }) => openMute(gateway.port, await storeTicket(gateway.store, { subject: 'bob' })),
    bytes: (ticket) => good(ticket),
    record: 'noted',
  },
  {
    name: 'a gateway that drains',
    code: 'draining',
    env: { DRAIN_SECONDS: '10' },
    async before({ gateway }) {
      await openMute(gateway.port, await storeTicket(gateway.store));
      void gateway.service.drain();
    },
    bytes: (ticket) => good(ticket),
    record: 'noted',
  },
  {
    name: 'more upgrades at once than may be decided',
    code: 'overloaded',
    env: { MAX_PENDING_UPGRADES: '1' },
    async before(stage) {
      const other = await storeTicket(stage.gateway.store);
      await stage.redis.pause();
      (await openRaw(stage.gateway.port)).send(good(other));
      await turn(stage);
    },
    bytes: (ticket) => good(ticket),
    async meanwhile(stage) {
      await turn(stage);
      stage.redis.resume();
    },
    record: 'noted',
  },
  {
    name: 'too many failed handshakes of one address',
    code: 'rate_limited',
    env: { MAX_FAILED_HANDSHAKES_PER_MINUTE: '2' },
    async before({ gateway }) {
      await exchange(gateway.port, upgradeRequest());
      await exchange(gateway.port, upgradeRequest());
    },
    bytes: (ticket) => good(ticket),
    record: 'noted',
  },
  {
    name: 'a store that is away',
    code: 'store_unavailable',
    async before({ gateway, gate }) {
      gate.cut();
      await until(() => !gateway.store.ready);
    },
    bytes: (ticket) => good(ticket),
    record: 'untouched',
    subject: null,
  },
  {
    name: 'a store that hangs: what it does later opens nothing',
    code: 'store_unavailable',
    // Long, because a command that hangs already would make the store unavailable before the upgrade is sent.
    env: { REDIS_TIMEOUT_MS: '3000' },
    before: ({ redis }) => redis.pause(),
    bytes: (ticket) => good(ticket),
    meanwhile: async ({ gateway, redis }) => {
      await until(() => gateway.log.some(({ event }) => event === 'refusal'), { timeoutMs: 60_000 });
      redis.resume();
    },
    record: { state: 'closed', attempts: '1', close_code: '1006', close_reason: 'store_unavailable' },
    subject: null,
  },
];

async function consumeElsewhere({ store }: InProcess, { id, secret }: StoredTicket): Promise<void> {
  const outcome = await store.consume({
    id,
    secretSha256: hashSecret(secret),
    attemptId: randomUUID(),
    gatewayId: 'elsewhere',
    path: '/',
    bindAddress: false,
    maxConnections: 0,
    limitPolicy: 'refuse',
  });
  if (outcome.code !== 'admitted') throw new Error(outcome.code);
}

/** Every refusal of a gateway, each with the ways to get it. */
export const gatewayRefusals: readonly RefusalCase[] = [...malformed, ...syntax, ...tickets, ...bound, ...early];
