import { gzipSync } from 'node:zlib';
import type { RefusalCode } from '../../../shared/refusals.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { type Environment, type InProcess, storeTicket } from '../../support/services/in-process.ts';

export interface TicketRefusalCase {
  readonly name: string;
  readonly code: RefusalCode;
  readonly env?: Environment;
  /** Brings about the situation. */
  readonly before?: (service: InProcess) => Promise<unknown>;
  readonly method?: string;
  readonly path?: string;
  /** `Authorization` is a good token of ada unless it is here; `null` leaves it out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly body?: string | Buffer;
  /** The detail, where it is not the row's. */
  readonly detail?: string;
  /** Headers of the answer besides those that every refusal has. */
  readonly answer?: Readonly<Record<string, readonly string[]>>;
}

const MISSING = { 'www-authenticate': ['Bearer realm="oncegate"'] };
const INVALID = { 'www-authenticate': ['Bearer realm="oncegate", error="invalid_token"'] };
const NEVER_ISSUED = '/tickets/AAAAAAAAAAAAAAAAAAAAAA';

const credentials: TicketRefusalCase[] = [
  {
    name: 'an issue without credentials',
    code: 'credentials_missing',
    headers: { Authorization: null },
    answer: MISSING,
  },
  {
    name: 'a look at a ticket without credentials',
    code: 'credentials_missing',
    method: 'GET',
    path: NEVER_ISSUED,
    headers: { Authorization: null },
    answer: MISSING,
  },
  {
    name: 'a list without credentials',
    code: 'credentials_missing',
    method: 'GET',
    headers: { Authorization: null },
    answer: MISSING,
  },
  {
    name: 'a revocation without credentials',
    code: 'credentials_missing',
    method: 'DELETE',
    path: NEVER_ISSUED,
    headers: { Authorization: null },
    answer: MISSING,
  },
  {
    name: 'a renewal without credentials',
    code: 'credentials_missing',
    path: `${NEVER_ISSUED}/renew`,
    headers: { Authorization: null },
    answer: MISSING,
  },
  {
    name: 'a token that is none',
    code: 'credentials_invalid',
    headers: { Authorization: 'Bearer nonsense' },
    answer: INVALID,
  },
  {
    name: 'credentials of a scheme that is not configured',
    code: 'credentials_invalid',
    headers: { Authorization: 'Basic YWRhOnNlY3JldA==' },
    answer: MISSING,
  },
  {
    name: 'two Authorization headers, of which one is good',
    code: 'credentials_invalid',
    headers: { Authorization: [await bearer('ada'), 'Bearer nonsense'] },
    answer: MISSING,
  },
  {
    name: 'a ticket in place of credentials',
    code: 'credentials_invalid',
    headers: { Authorization: `Ticket ogt_${'A'.repeat(22)}.${'B'.repeat(32)}` },
    answer: MISSING,
  },
];

const requests: TicketRefusalCase[] = [
  { name: 'a ticket for somebody else', code: 'subject_refused', body: '{"subject":"bob"}' },
  { name: 'an Origin that is no origin', code: 'origin_refused', headers: { Origin: 'http://app.example/path' } },
  { name: 'the origin null', code: 'origin_refused', headers: { Origin: 'null' } },
  {
    name: 'two Origins',
    code: 'origin_refused',
    headers: { Origin: ['http://app.example', 'http://evil.example'] },
  },
  { name: 'JSON that ends too early', code: 'request_malformed', body: '{"path":' },
  { name: 'JSON that is only a number', code: 'request_malformed', body: '5' },
  { name: 'a form', code: 'request_malformed', body: 'path=%2Froom' },
  {
    name: 'a compressed body',
    code: 'request_malformed',
    headers: { 'Content-Encoding': 'gzip' },
    body: gzipSync('{}'),
  },
  {
    name: 'JSON in an encoding that is not UTF-8',
    code: 'request_malformed',
    headers: { 'Content-Type': 'application/json; charset=koi8-r' },
    body: '{}',
  },
  { name: 'a broken percent-encoding in the path', code: 'request_malformed', method: 'GET', path: '/tickets/%E0%A4' },
  { name: 'an array', code: 'request_invalid', body: '[]' },
  { name: 'a field out of bounds', code: 'request_invalid', body: '{"ttl_seconds":0}' },
  { name: 'a body of 17 kB', code: 'payload_too_large', body: `{"claims":{"a":"${'x'.repeat(17_000)}"}}` },
];

const routes: TicketRefusalCase[] = [
  { name: 'an unknown path', code: 'not_found', method: 'GET', path: '/nothing' },
  { name: 'the root', code: 'not_found', method: 'GET', path: '/' },
  { name: 'an unknown ticket', code: 'not_found', method: 'GET', path: NEVER_ISSUED },
  { name: 'the revocation of an unknown ticket', code: 'not_found', method: 'DELETE', path: NEVER_ISSUED },
  { name: 'the renewal of an unknown ticket', code: 'not_found', path: `${NEVER_ISSUED}/renew` },
  { name: 'an id that is none', code: 'not_found', method: 'GET', path: '/tickets/short' },
  { name: 'a path in other letters', code: 'not_found', method: 'GET', path: '/Tickets' },
  { name: 'an unknown problem', code: 'not_found', method: 'GET', path: '/problems/unheard_of' },
  {
    name: 'a PUT on the tickets',
    code: 'method_not_allowed',
    method: 'PUT',
    answer: { allow: ['GET, HEAD, POST'] },
  },
  {
    name: 'a POST on a ticket',
    code: 'method_not_allowed',
    path: NEVER_ISSUED,
    answer: { allow: ['GET, HEAD, DELETE'] },
  },
  {
    name: 'a GET on a renewal',
    code: 'method_not_allowed',
    method: 'GET',
    path: `${NEVER_ISSUED}/renew`,
    answer: { allow: ['POST'] },
  },
  {
    name: 'an OPTIONS on the tickets',
    code: 'method_not_allowed',
    method: 'OPTIONS',
    answer: { allow: ['GET, HEAD, POST'] },
  },
  {
    name: 'a DELETE on a problem',
    code: 'method_not_allowed',
    method: 'DELETE',
    path: '/problems/not_found',
    answer: { allow: ['GET, HEAD'] },
  },
];

const states: TicketRefusalCase[] = [
  {
    name: 'one unspent ticket too many',
    code: 'pending_limit',
    env: { MAX_PENDING_PER_SUBJECT: '1', TICKET_TTL_SECONDS: '300' },
    before: ({ store }) => storeTicket(store, { ttlMs: 299_500 }),
    answer: { 'retry-after': ['300'] },
  },
  {
    name: 'an issue while the store is away',
    code: 'store_unavailable',
    env: { REDIS_URL: 'redis://127.0.0.1:1' },
    answer: { 'retry-after': ['2'] },
  },
  {
    name: 'a look at a ticket while the store is away',
    code: 'store_unavailable',
    env: { REDIS_URL: 'redis://127.0.0.1:1' },
    method: 'GET',
    path: NEVER_ISSUED,
    answer: { 'retry-after': ['2'] },
  },
];

/** Every refusal of a ticket service, each with the ways to get it. */
const counterparts: TicketRefusalCase[] = [
  {
    name: 'a request of another site with credentials that the browser adds by itself',
    code: 'csrf_refused',
    env: { AUTH_PROXY_HEADER: 'X-Forwarded-User', TRUST_PROXY: '127.0.0.1' },
    headers: { Authorization: null, 'X-Forwarded-User': 'ada', Origin: 'https://evil.example' },
    detail: 'With a cookie the Origin must be that of this host, or one of ALLOWED_ORIGINS.',
  },
  {
    name: 'credentials that the application cannot be asked about',
    code: 'authentication_unavailable',
    env: { AUTH_FORWARD_URL: 'http://127.0.0.1:1/me' },
    headers: { Authorization: null, Cookie: 'login=ada' },
    answer: { 'retry-after': ['2'] },
  },
];

export const ticketRefusals: readonly TicketRefusalCase[] = [
  ...credentials,
  ...requests,
  ...routes,
  ...states,
  ...counterparts,
];
