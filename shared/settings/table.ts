import { CARRIERS } from '../carriers.ts';
import {
  choice,
  file,
  flag,
  hostPorts,
  integer,
  list,
  origins,
  redisUrl,
  secret,
  text,
  trustedAddresses,
  url,
  type ValueType,
} from './values.ts';

interface Row {
  readonly type: ValueType<unknown>;
  /** As a person would write it; absent where there is none. */
  readonly default?: string;
  /** A default that depends on another setting, in words. */
  readonly defaultNote?: string;
  /** Its value is never printed. */
  readonly secret?: true;
  /** Who reads it. */
  readonly reader: 'both' | 'ticket' | 'gateway';
  readonly doc: string;
}

const port = integer(0, 65_535, 'a TCP port; 0 lets the system choose');

/**
 * THE table of settings: every environment variable, once. Validation, `docs/settings.md` and the
 * CLI's `oncegate settings` derive from it.
 */
export const settingsTable = {
  REDIS_URL: {
    type: redisUrl,
    secret: true,
    reader: 'both',
    doc: 'The Redis that all services share. The separate services need it, or Sentinel, or Cluster; standalone then uses it instead of memory. With Sentinel or Cluster only its user, password and TLS are used.',
  },
  REDIS_SENTINELS: {
    type: hostPorts,
    reader: 'both',
    doc: 'Sentinels that know the primary; needs REDIS_SENTINEL_NAME.',
  },
  REDIS_SENTINEL_NAME: {
    type: text('the name of a Sentinel group', /^\S{1,256}$/),
    reader: 'both',
    doc: 'The group that the Sentinels watch.',
  },
  REDIS_CLUSTER_NODES: { type: hostPorts, reader: 'both', doc: 'Some nodes of a Redis Cluster; it tells the others.' },
  REDIS_KEY_PREFIX: {
    type: text('at most 64 of A-Z a-z 0-9 : . _ -', /^[A-Za-z0-9:._-]{1,64}$/),
    default: 'oncegate:',
    reader: 'both',
    doc: 'What every key and channel name begins with. All services of a fleet use the same.',
  },
  REDIS_TIMEOUT_MS: {
    type: integer(10, 60_000, 'ms'),
    default: '250',
    reader: 'both',
    doc: 'How long an answer of Redis is waited for; past it: 503 `store_unavailable`.',
  },
  HOST: {
    type: text('an IP address or host name', /^[A-Za-z0-9._:-]{1,255}$/),
    default: '127.0.0.1',
    reader: 'both',
    doc: 'The address to listen on, for the public and the admin port.',
  },
  TICKET_PORT: { type: port, default: '8080', reader: 'ticket', doc: 'Public port of the ticket service.' },
  GATEWAY_PORT: { type: port, default: '8081', reader: 'both', doc: 'Public port of the gateway.' },
  TICKET_ADMIN_PORT: {
    type: port,
    default: '9080',
    reader: 'ticket',
    doc: 'Private port of the ticket service: /livez, /readyz, /metrics.',
  },
  GATEWAY_ADMIN_PORT: {
    type: port,
    default: '9081',
    reader: 'gateway',
    doc: 'Private port of the gateway: /livez, /readyz, /metrics.',
  },
  GATEWAY_URL: {
    type: url('ws', 'wss'),
    defaultNote: '`ws://localhost:<GATEWAY_PORT>`, `wss:` with TLS_CERT_FILE',
    reader: 'ticket',
    doc: 'Where clients reach the gateways: what tickets announce. A path in it has to be taken off by the proxy in front.',
  },
  GATEWAY_ID: {
    type: text('1 to 64 of A-Z a-z 0-9 . _ -', /^[A-Za-z0-9._-]{1,64}$/),
    defaultNote: 'random',
    reader: 'gateway',
    doc: "This gateway's id in records, logs and keys. Two gateways never share one.",
  },
  TICKET_CARRIERS: {
    type: list(`some of ${CARRIERS.join(',')}`, (item) => CARRIERS.find((carrier) => carrier === item)),
    default: CARRIERS.join(','),
    reader: 'both',
    doc: 'Where a ticket may be presented. Who wants no ticket in any URL drops `query`.',
  },
  GATEWAY_AUDIENCE: {
    type: text('1 to 64 of A-Z a-z 0-9 . _ -', /^[A-Za-z0-9._-]{1,64}$/),
    defaultNote: 'tickets of any audience',
    reader: 'gateway',
    doc: 'The audience that this gateway serves. A ticket for another one, or for none, is refused.',
  },
  ALLOWED_ORIGINS: {
    type: origins,
    defaultNote: "the origin's host name must be that of `Host`",
    reader: 'gateway',
    doc: 'Origins that may connect: exact ones, comma-separated, or `*`. `null` is never allowed; a request without `Origin` (not a browser) passes.',
  },
  TICKET_TTL_SECONDS: {
    type: integer(1, 300, 'seconds'),
    default: '30',
    reader: 'ticket',
    doc: 'How long a ticket can be used. A caller may ask for less.',
  },
  TICKET_RETENTION_SECONDS: {
    type: integer(0, 86_400, 'seconds'),
    default: '600',
    reader: 'both',
    doc: 'How long a record is kept once it can no longer change.',
  },
  MAX_PENDING_PER_SUBJECT: {
    type: integer(1, 10_000),
    default: '20',
    reader: 'ticket',
    doc: 'The most unspent tickets of one subject; past it: 429 `pending_limit`.',
  },
  MAX_CONNECTIONS_PER_SUBJECT: {
    type: integer(0, 10_000),
    default: '0',
    reader: 'gateway',
    doc: 'The most open connections of one subject over all gateways; 0 for no limit.',
  },
  CONNECTION_LIMIT_POLICY: {
    type: choice('refuse', 'replace'),
    default: 'refuse',
    reader: 'gateway',
    doc: "At a subject's limit: refuse the new connection, or close the oldest with 3003 `replaced`.",
  },
  MAX_CONNECTIONS: {
    type: integer(0, 1_000_000),
    default: '0',
    reader: 'gateway',
    doc: 'The most open connections of this gateway; 0 for no limit.',
  },
  MAX_PENDING_UPGRADES: {
    type: integer(1, 1_000_000),
    default: '10000',
    reader: 'gateway',
    doc: 'The most upgrades that are being decided at once; past it: 503 `overloaded`.',
  },
  MAX_FAILED_HANDSHAKES_PER_MINUTE: {
    type: integer(0, 1_000_000),
    default: '0',
    reader: 'gateway',
    doc: 'Failed handshakes of one client address in a minute, counted by each gateway; past it: 429 `rate_limited`. 0 for no limit: behind a proxy set TRUST_PROXY first, or all clients share one address.',
  },
  MAX_MESSAGE_BYTES: {
    type: integer(1, 104_857_600, 'bytes'),
    default: '1048576',
    reader: 'gateway',
    doc: 'The longest message from a client; past it the connection is closed with 1009.',
  },
  MAX_SESSION_SECONDS: {
    type: integer(1, 31_536_000, 'seconds'),
    default: '43200',
    reader: 'ticket',
    doc: 'The longest connection; it also ends with the credentials behind it.',
  },
  HEARTBEAT_SECONDS: {
    type: integer(1, 3_600, 'seconds'),
    default: '30',
    reader: 'gateway',
    doc: 'How often a silent client is pinged, and how long its answer is waited for.',
  },
  LEASE_SECONDS: {
    type: integer(1, 3_600, 'seconds'),
    default: '90',
    reader: 'gateway',
    doc: 'For how long a connection stays counted when its gateway falls silent. It is renewed every third of that.',
  },
  DRAIN_SECONDS: {
    type: integer(0, 3_600, 'seconds'),
    default: '30',
    reader: 'gateway',
    doc: 'The spread over which a draining gateway closes its connections.',
  },
  UPSTREAM_URL: {
    type: url('ws', 'wss'),
    defaultNote: 'the built-in echo',
    reader: 'gateway',
    doc: 'Reserved for the WebSocket backend behind the gateway. This version has the built-in echo only and refuses to start when it is set.',
  },
  BIND_ADDRESS: {
    type: flag,
    default: 'false',
    reader: 'gateway',
    doc: 'Whether a ticket must be presented from the address that asked for it. Off, because phones change networks.',
  },
  TRUST_PROXY: {
    type: trustedAddresses,
    reader: 'both',
    doc: 'Addresses or CIDR blocks of proxies whose `X-Forwarded-For` and `X-Forwarded-Host` count.',
  },
  TLS_CERT_FILE: { type: file, reader: 'both', doc: 'PEM certificate chain of the public port; needs TLS_KEY_FILE.' },
  TLS_KEY_FILE: { type: file, secret: true, reader: 'both', doc: 'PEM private key of the public port.' },
  AUTH_USERS_FILE: {
    type: file,
    reader: 'ticket',
    doc: 'Users for HTTP Basic, one `name:hash` a line; `oncegate users add <name>` writes it. Read at start.',
  },
  AUTH_JWT_SECRET: {
    type: secret(32),
    secret: true,
    reader: 'ticket',
    doc: 'Key of the Bearer JWTs that are signed with HS256.',
  },
  AUTH_JWT_PUBLIC_KEY_FILE: {
    type: file,
    reader: 'ticket',
    doc: 'Public key (PEM) or keys (JWKS) of the Bearer JWTs that are signed with an asymmetric algorithm.',
  },
  AUTH_JWT_ISSUER: {
    type: text('1 to 1024 characters', /^.{1,1024}$/),
    defaultNote: 'not checked',
    reader: 'ticket',
    doc: 'The `iss` that a JWT must have.',
  },
  AUTH_JWT_AUDIENCE: {
    type: text('1 to 1024 characters', /^.{1,1024}$/),
    defaultNote: 'not checked',
    reader: 'ticket',
    doc: 'The `aud` that a JWT must have.',
  },
  LOG_LEVEL: {
    type: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    reader: 'both',
    doc: 'Least level of the JSON lines on stdout.',
  },
} as const satisfies Record<string, Row>;

export type SettingName = keyof typeof settingsTable;

/** The names in the order of the table. */
export const settingNames = Object.keys(settingsTable) as SettingName[]; // the keys of a literal are its type's keys

/** The row of a setting, widened to the columns that every row may have. */
export function settingRow(name: SettingName): Row {
  return settingsTable[name];
}

/** `TICKET_TTL_SECONDS` -> `ticketTtlSeconds`. */
type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>;

type ValueOf<R> = R extends { readonly type: ValueType<infer T> }
  ? R extends { readonly default: string }
    ? T
    : T | undefined
  : never;

/** The value of every setting, under its name in camel case. */
export type Settings = { readonly [Name in SettingName as CamelCase<Name>]: ValueOf<(typeof settingsTable)[Name]> };

export function camelCase(name: SettingName): keyof Settings {
  return name.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as keyof Settings;
}
