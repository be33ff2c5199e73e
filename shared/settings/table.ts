import { AUDIENCE, AUDIENCE_FORM } from '../ticket/audience.ts';
import { CARRIERS } from '../ticket/carriers.ts';
import {
  certificates,
  choice,
  file,
  flag,
  headerName,
  hostPorts,
  hosts,
  integer,
  jsonPath,
  list,
  names,
  origins,
  redisUrl,
  secret,
  text,
  trustedAddresses,
  url,
  type ValueType,
  webSocketUrl,
} from './values.ts';

interface Row {
  readonly type: ValueType<unknown>;
  /** As a person would write it; absent if there is none. */
  readonly default?: string;
  /** In words, for a default that is not a fixed value. */
  readonly defaultNote?: string;
  /** The value is never printed. */
  readonly secret?: true;
  /** The services that read it. */
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
    doc: 'The Redis that all services share. The separate services need it, or Sentinel, or Cluster; standalone then uses it instead of memory. `rediss:` is TLS. With Sentinel or Cluster only its user, password and TLS are used: for the primary, or for each node.',
  },
  REDIS_CA_FILE: {
    type: certificates,
    defaultNote: "the system's",
    reader: 'both',
    doc: 'PEM certificates of the authorities that vouch for every Redis and Sentinel with TLS, that of AUTH_SESSION_REDIS_URL included.',
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
  REDIS_SENTINEL_TLS: {
    type: flag,
    default: 'false',
    reader: 'both',
    doc: 'Whether the Sentinels themselves are asked over TLS. REDIS_URL says so for the primary.',
  },
  REDIS_SENTINEL_USERNAME: {
    type: text('1 to 256 characters', /^.{1,256}$/),
    defaultNote: "the Sentinels' default user",
    reader: 'both',
    doc: 'User at the Sentinels; needs REDIS_SENTINEL_PASSWORD.',
  },
  REDIS_SENTINEL_PASSWORD: {
    type: text('1 to 1024 characters', /^.{1,1024}$/),
    secret: true,
    reader: 'both',
    doc: 'Password at the Sentinels. That of the primary is in REDIS_URL.',
  },
  REDIS_CLUSTER_NODES: {
    type: hostPorts,
    reader: 'both',
    doc: 'Some nodes of a Redis Cluster; the others are found through them.',
  },
  REDIS_KEY_PREFIX: {
    type: text('at most 64 of A-Z a-z 0-9 : . _ -', /^[A-Za-z0-9:._-]{1,64}$/),
    default: 'oncegate:',
    reader: 'both',
    doc: 'The prefix of every key and channel name. All services of a fleet use the same.',
  },
  REDIS_TIMEOUT_MS: {
    type: integer(10, 60_000, 'ms'),
    default: '250',
    reader: 'both',
    doc: 'How long to wait for an answer of Redis; past it: 503 `store_unavailable`, or `authentication_unavailable` if a session was looked up.',
  },
  HOST: {
    type: text('an IP address or host name', /^[A-Za-z0-9._:-]{1,255}$/),
    default: '127.0.0.1',
    reader: 'both',
    doc: 'The address on which the public port listens.',
  },
  ADMIN_HOST: {
    type: text('an IP address or host name', /^[A-Za-z0-9._:-]{1,255}$/),
    default: '127.0.0.1',
    reader: 'both',
    doc: 'The address on which the admin port listens. It has no login: beyond loopback only on a private network.',
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
    type: webSocketUrl,
    defaultNote: '`ws://<HOST>:<GATEWAY_PORT>`, `wss:` with TLS_CERT_FILE',
    reader: 'ticket',
    doc: 'Where clients reach the gateways: tickets announce it. If it has a path, the proxy in front has to remove that.',
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
    doc: 'Where a ticket may be presented. Leave `query` out to keep tickets out of URLs.',
  },
  GATEWAY_AUDIENCE: {
    type: text(AUDIENCE_FORM, AUDIENCE),
    defaultNote: 'tickets of any audience',
    reader: 'gateway',
    doc: 'The audience that this gateway serves. A ticket for another one, or for none, is refused.',
  },
  ALLOWED_ORIGINS: {
    type: origins,
    defaultNote: "the origin's host name must be that of `Host`",
    reader: 'both',
    doc: 'Origins whose pages may ask for tickets (CORS) and connect, comma-separated. `https://*.example.org` stands for one label: `https://a.example.org`, but neither `https://a.b.example.org` nor `https://example.org`. `*` is any origin; with it CORS allows no cookies. `self` is the host of the gateway as the client addressed it: some native clients send that as their origin. It needs ALLOWED_HOSTS. `null` is never allowed; a request without `Origin` (not a browser) passes. The ticket service always accepts its own origin, a gateway only those that are listed.',
  },
  ALLOWED_HOSTS: {
    type: hosts,
    defaultNote: 'any',
    reader: 'gateway',
    doc: 'Hosts that an upgrade may be addressed to, comma-separated: a name, with `:port` unless that is 80 or 443. The `Host` of the request is compared, or the `X-Forwarded-Host` of a proxy in TRUST_PROXY; without regard to letter case, to a default port, or to a dot at the end. Any other is refused with 400 `handshake_malformed`.',
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
  HISTORY_PER_SUBJECT: {
    type: integer(0, 1_000),
    default: '100',
    reader: 'ticket',
    doc: 'The most records that are kept of tickets of one subject that have ended; its next ticket has the oldest deleted. With 0 a client cannot ask for a reason once another ticket was issued.',
  },
  MAX_PENDING_PER_SUBJECT: {
    type: integer(1, 10_000),
    default: '20',
    reader: 'ticket',
    doc: 'The most unspent tickets of one subject; past it: 429 `pending_limit`.',
  },
  MAX_CONNECTIONS_PER_SUBJECT: {
    type: integer(0, 10_000),
    default: '100',
    reader: 'gateway',
    doc: 'The most open connections of one subject over all gateways; 0 for no limit. Raise it if many clients share one subject.',
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
  LISTEN_BACKLOG: {
    type: integer(1, 65_535),
    default: '4096',
    reader: 'both',
    doc: 'How many connections the system holds until they are accepted; of more it drops the first packet, and their clients try again after 1 s. Linux bounds it by `net.core.somaxconn`. It should hold what arrives within OVERLOAD_DELAY_MS.',
  },
  OVERLOAD_DELAY_MS: {
    type: integer(0, 60_000, 'ms'),
    default: '1000',
    reader: 'both',
    doc: 'How long a new connection may wait until it is accepted. While it waits longer, new upgrades, and requests that need credentials, get 503 `overloaded` with a random `Retry-After`. 0 turns it off. Every 250 ms the service connects to its own port to measure it.',
  },
  MAX_FAILED_HANDSHAKES_PER_MINUTE: {
    type: integer(0, 1_000_000),
    default: '1000',
    reader: 'gateway',
    doc: 'Failed handshakes of one client address (IPv6: IPV6_PREFIX_BITS) in a minute, counted by each gateway; past it: 429 `rate_limited`. 0 for no limit. Behind a proxy set TRUST_PROXY, or all clients share one address.',
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
  MAX_SESSION_TOTAL_SECONDS: {
    type: integer(0, 31_536_000, 'seconds'),
    default: '0',
    reader: 'ticket',
    doc: 'The longest connection with all its renewals, counted from its opening; 0 for no limit.',
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
    doc: 'How long a connection still counts after its gateway has stopped renewing its lease. A lease is renewed every third of that.',
  },
  DRAIN_SECONDS: {
    type: integer(0, 3_600, 'seconds'),
    default: '30',
    reader: 'gateway',
    doc: 'The spread over which a draining gateway closes its connections.',
  },
  UPSTREAM_URL: {
    type: webSocketUrl,
    defaultNote: 'the built-in echo',
    reader: 'gateway',
    doc: "The WebSocket back end behind the gateway, dialled for every admitted connection. Its path, if it has one, goes in front of the client's.",
  },
  ROUTES_FILE: {
    type: file,
    reader: 'gateway',
    doc: 'JSON file that names several back ends by path prefix (docs/relay.md). Instead of UPSTREAM_URL. Read again on SIGHUP.',
  },
  UPSTREAM_CA_FILE: {
    type: certificates,
    defaultNote: "the system's",
    reader: 'gateway',
    doc: 'PEM certificates of the authorities that vouch for `wss:` upstreams.',
  },
  UPSTREAM_CONNECT_TIMEOUT_MS: {
    type: integer(10, 60_000, 'ms'),
    default: '2000',
    reader: 'gateway',
    doc: 'How long an upstream may take to accept a connection, TLS included; past it: 504 `upstream_timeout`.',
  },
  UPSTREAM_HANDSHAKE_TIMEOUT_MS: {
    type: integer(10, 60_000, 'ms'),
    default: '5000',
    reader: 'gateway',
    doc: 'How long an upstream may then take to answer the upgrade; past it: 504 `upstream_timeout`.',
  },
  UPSTREAM_IDLE_SECONDS: {
    type: integer(0, 86_400, 'seconds'),
    default: '0',
    reader: 'gateway',
    doc: 'Without a byte from either side for so long an upstream counts as lost (1013); 0 for never. Answers to pings count as bytes, so only a value below HEARTBEAT_SECONDS has an effect.',
  },
  IDENTITY_JWT_KEY_FILE: {
    type: file,
    secret: true,
    reader: 'gateway',
    doc: 'PEM private key (Ed25519, EC P-256 or RSA) with which the gateway signs whom a connection acts for, as a JWT in `Oncegate-Identity`. The public key is at `/.well-known/jwks.json`.',
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
    doc: 'Addresses or CIDR blocks of proxies whose `X-Forwarded-*` headers are believed, and the header of AUTH_PROXY_HEADER.',
  },
  IPV6_PREFIX_BITS: {
    type: integer(16, 128, 'bits'),
    default: '64',
    reader: 'both',
    doc: 'Length of the IPv6 prefix that all limits by address count as one client. Every limit is sixteen times as high for a /48, if the prefix is longer.',
  },
  TLS_CERT_FILE: {
    type: file,
    reader: 'both',
    doc: 'PEM certificate chain of the public port; needs TLS_KEY_FILE. Both are read again when they change, and on SIGHUP.',
  },
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
    doc: 'Public key (PEM) or keys (JWKS) of the Bearer JWTs that are signed with an asymmetric algorithm. Read at start.',
  },
  AUTH_JWT_ISSUER: {
    type: text('1 to 1024 characters', /^.{1,1024}$/),
    defaultNote: 'not checked',
    reader: 'ticket',
    doc: 'The `iss` that a JWT must have. If AUTH_OIDC_ISSUER is set too, this one is for JWTs that are signed with other keys.',
  },
  AUTH_JWT_AUDIENCE: {
    type: text('1 to 1024 characters', /^.{1,1024}$/),
    defaultNote: 'not checked',
    reader: 'ticket',
    doc: 'The `aud` that a JWT must have, and an introspection answer if it has any.',
  },
  AUTH_JWT_SUBJECT: {
    type: jsonPath,
    default: 'sub',
    reader: 'ticket',
    doc: 'Where the subject is in a JWT or an introspection answer.',
  },
  AUTH_JWT_CLOCK_TOLERANCE_SECONDS: {
    type: integer(0, 300, 'seconds'),
    default: '5',
    reader: 'ticket',
    doc: "How far the issuer's clock may be from this machine's.",
  },
  AUTH_CLAIMS: {
    type: names,
    reader: 'ticket',
    doc: "Claims that are copied into tickets from a JWT, an introspection answer, or the application's own answer. What the caller itself asks for stays apart, as `client_claims`.",
  },
  AUTH_OIDC_ISSUER: {
    type: url('https', 'http'),
    reader: 'ticket',
    doc: 'OpenID Connect issuer whose JWTs are accepted, exactly as `iss` has it; its keys are found by discovery. Needs AUTH_JWT_AUDIENCE.',
  },
  AUTH_JWKS_URL: {
    type: url('https', 'http'),
    reader: 'ticket',
    doc: 'JWKS of an issuer without discovery. Needs AUTH_JWT_AUDIENCE; AUTH_JWT_ISSUER is checked when set.',
  },
  AUTH_INTROSPECTION_URL: {
    type: url('https', 'http'),
    reader: 'ticket',
    doc: 'Token introspection endpoint (RFC 7662) for opaque access tokens. Needs AUTH_INTROSPECTION_CLIENT_ID and AUTH_INTROSPECTION_CLIENT_SECRET.',
  },
  AUTH_INTROSPECTION_CLIENT_ID: {
    type: text('1 to 256 ASCII characters', /^[ -~]{1,256}$/),
    reader: 'ticket',
    doc: 'Client id of the ticket service at the introspection endpoint.',
  },
  AUTH_INTROSPECTION_CLIENT_SECRET: {
    type: text('1 to 1024 ASCII characters', /^[ -~]{1,1024}$/),
    secret: true,
    reader: 'ticket',
    doc: 'Client secret of the ticket service at the introspection endpoint.',
  },
  AUTH_INTROSPECTION_CACHE_SECONDS: {
    type: integer(0, 300, 'seconds'),
    default: '10',
    reader: 'ticket',
    doc: "How long an answer is remembered, never past the token's expiry. A revoked token still works for that long.",
  },
  AUTH_SESSION_SECRET: {
    type: list('secrets of at least 8 bytes, comma-separated, the newest first', (value) =>
      Buffer.byteLength(value) >= 8 ? value : undefined,
    ),
    secret: true,
    reader: 'ticket',
    doc: 'Secrets with which an Express application (express-session) signs its session cookie.',
  },
  AUTH_SESSION_COOKIE: {
    type: text('the name of a cookie', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/),
    default: 'connect.sid',
    reader: 'ticket',
    doc: 'Name of the session cookie.',
  },
  AUTH_SESSION_SUBJECT: {
    type: jsonPath,
    default: 'passport.user.id',
    reader: 'ticket',
    doc: 'Where the subject is in the session.',
  },
  AUTH_SESSION_REDIS_URL: {
    type: redisUrl,
    secret: true,
    defaultNote: 'REDIS_URL',
    reader: 'ticket',
    doc: 'The Redis in which connect-redis keeps the sessions, a single server. It must be set if Oncegate uses Sentinel or Cluster.',
  },
  AUTH_SESSION_PREFIX: {
    type: text('at most 64 visible characters', /^[!-~]{1,64}$/),
    default: 'sess:',
    reader: 'ticket',
    doc: 'The prefix of the keys of sessions.',
  },
  AUTH_FORWARD_URL: {
    type: url('https', 'http'),
    reader: 'ticket',
    doc: "An endpoint of the application (a /me) that the caller's Cookie and Authorization are sent to. It answers 200 with JSON about the user, or 401 if nobody is signed in.",
  },
  AUTH_FORWARD_SUBJECT: {
    type: jsonPath,
    default: 'sub',
    reader: 'ticket',
    doc: "Where the subject is in the application's answer.",
  },
  AUTH_FORWARD_CACHE_SECONDS: {
    type: integer(0, 300, 'seconds'),
    default: '0',
    reader: 'ticket',
    doc: "How long the application's 200 is remembered. A user who signs out can still get tickets for that long.",
  },
  AUTH_PROXY_HEADER: {
    type: headerName,
    reader: 'ticket',
    doc: 'Header in which an authenticating proxy names the user, such as X-Forwarded-User. It is believed from TRUST_PROXY addresses only; from any other a request with it is refused.',
  },
  AUTH_API_KEYS_FILE: {
    type: file,
    reader: 'ticket',
    doc: 'API keys of back ends; `oncegate keys add` and `oncegate keys revoke` write it, and a change counts at once.',
  },
  AUTH_TIMEOUT_MS: {
    type: integer(50, 60_000, 'ms'),
    default: '2000',
    reader: 'ticket',
    doc: 'How long an issuer, an introspection endpoint or the application may take to answer; past it: 503 `authentication_unavailable`.',
  },
  MAX_REQUESTS_PER_MINUTE_PER_ADDRESS: {
    type: integer(0, 1_000_000),
    default: '0',
    reader: 'ticket',
    doc: 'Requests of one client address (IPv6: IPV6_PREFIX_BITS) in a minute over all ticket services; past it: 429 `rate_limited`. 0 for no limit: behind a proxy set TRUST_PROXY first, or all clients share one address.',
  },
  MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: {
    type: integer(0, 1_000_000),
    default: '6000',
    reader: 'ticket',
    doc: 'Requests of one subject in a minute over all ticket services; past it: 429 `rate_limited`. 0 for no limit. An API key is a subject of its own: raise it for a back end that issues more.',
  },
  POLICY_FILE: {
    type: file,
    reader: 'ticket',
    doc: 'JSON file that says who may get which tickets (docs/policy.md). Without it: any audience, any path. Read again on SIGHUP.',
  },
  PLAYGROUND: {
    type: flag,
    defaultNote: '`true` in standalone, else `false`',
    reader: 'ticket',
    doc: 'Whether `GET /` is a page to try Oncegate on and to see its refusals. Signed-in users may shorten their own sessions there; in standalone they may also limit their own connections and have the store fail for themselves.',
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

/** The row of a setting, with every column that a row may have. */
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
