import { X509Certificate } from 'node:crypto';
import { isLoopback } from '../http/loopback.ts';
import { isWide } from '../http/wide-trust.ts';
import { isRedisTls } from '../store/redis/redis-client.ts';
import type { Environment } from './load.ts';
import { camelCase, type SettingName, type Settings, settingNames } from './table.ts';
import { unknownNames } from './unknown-names.ts';

/** Something that is allowed, and probably not meant. No part of it has a secret. */
export interface Finding {
  /** A setting, or a name that is none. */
  readonly setting: string;
  readonly what: string;
  readonly why: string;
  /** What to set instead. */
  readonly remedy: string;
}

export interface Check {
  /** The event of its log line. */
  readonly event: string;
  /** `always`: each service warns at its start too. `strict`: only `check-config --strict` asks. */
  readonly when: 'always' | 'strict';
  readonly find: (settings: Settings, surroundings: Surroundings) => readonly Finding[];
}

export interface Surroundings {
  readonly environment: Environment;
  /** Unix time, ms. */
  readonly now: number;
  /** How many files this process may have open; undefined if that is not known. */
  readonly openFiles: number | undefined;
}

/** THE table of what is said about a configuration that has no faults. */
export const settingChecks: readonly Check[] = [
  { event: 'setting_unknown', when: 'always', find: (_, { environment }) => unknownNames(environment).map(unknown) },
  {
    event: 'trust_too_wide',
    when: 'always',
    find: ({ trustProxy }) => (trustProxy && isWide(trustProxy) ? [WIDE] : []),
  },
  { event: 'lease_too_short', when: 'always', find: shortLease },
  { event: 'certificate_not_valid', when: 'always', find: certificates },
  { event: 'open_files_too_few', when: 'always', find: openFiles },
  {
    event: 'ticket_in_url',
    when: 'strict',
    find: ({ ticketCarriers }) => (ticketCarriers.includes('query') ? [TICKET_IN_URL] : []),
  },
  { event: 'not_encrypted', when: 'strict', find: unencrypted },
  { event: 'redis_not_encrypted', when: 'strict', find: unencryptedRedis },
  { event: 'no_limit', when: 'strict', find: unlimited },
  {
    event: 'admin_port_reachable',
    when: 'strict',
    find: ({ adminHost }) => (isLoopback(adminHost) ? [] : [ADMIN_PORT]),
  },
  {
    event: 'any_origin',
    when: 'strict',
    find: ({ allowedOrigins }) => (allowedOrigins?.includes('*') ? [ANY_ORIGIN] : []),
  },
];

/** A finding with the event of its check. */
export type Found = Finding & Pick<Check, 'event'>;

export function findingsOf(settings: Settings, surroundings: Surroundings, strict = false): Found[] {
  return settingChecks
    .filter(({ when }) => strict || when === 'always')
    .flatMap(({ event, find }) => find(settings, surroundings).map((finding) => ({ ...finding, event })));
}

/** A finding in one line. */
export function textOf({ what, why, remedy }: Omit<Finding, 'setting'>): string {
  return `${what}: ${why}; ${remedy}`;
}

function unknown({ name, nearest }: ReturnType<typeof unknownNames>[number]): Finding {
  const remedy = nearest === undefined ? 'remove it (oncegate settings prints all names)' : `the nearest is ${nearest}`;
  return { setting: name, what: 'no setting has this name', why: 'it has no effect', remedy };
}

const WIDE: Finding = {
  setting: 'TRUST_PROXY',
  what: 'covers a large part of all addresses',
  why: 'whoever connects from one of them writes its own client address and host name',
  remedy: 'name the proxies alone',
};

const TICKET_IN_URL: Finding = {
  setting: 'TICKET_CARRIERS',
  what: 'has query',
  why: 'URLs are written to logs, and a ticket in one with them',
  remedy: 'set TICKET_CARRIERS=subprotocol,authorization',
};

const ADMIN_PORT: Finding = {
  setting: 'ADMIN_HOST',
  what: 'the admin port can be reached from other machines',
  why: 'it has no login',
  remedy: 'set a loopback address, or the address of a private network',
};

const ANY_ORIGIN: Finding = {
  setting: 'ALLOWED_ORIGINS',
  what: 'has *',
  why: 'pages of every site may ask for tickets and connect',
  remedy: 'list the origins of your own pages',
};

/** A lease that is lost while a connection is still alive takes it out of lists and limits. */
function shortLease({ leaseSeconds, heartbeatSeconds }: Settings): Finding[] {
  if (leaseSeconds >= 2 * heartbeatSeconds) return [];
  return [
    {
      setting: 'LEASE_SECONDS',
      what: 'is less than twice HEARTBEAT_SECONDS',
      why: 'an open connection soon counts as ended, in limits and records, while its client is still waited for',
      remedy: `set LEASE_SECONDS to at least ${2 * heartbeatSeconds}`,
    },
  ];
}

function certificates(settings: Settings, { now }: Surroundings): Finding[] {
  return (['TLS_CERT_FILE', 'UPSTREAM_CA_FILE', 'REDIS_CA_FILE'] as const).flatMap((setting) => {
    const file = settings[camelCase(setting) as 'tlsCertFile' | 'upstreamCaFile' | 'redisCaFile']; // of these three names
    const what = file && invalidity(file.content, now);
    if (what === undefined) return [];
    return [{ setting, what, why: 'whoever checks it refuses the connection', remedy: 'replace it, or set the clock' }];
  });
}

/** Why a certificate of a PEM file is not valid at a time; undefined if all of them are. */
export function invalidity(pem: string, now: number): string | undefined {
  for (const [block] of pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)) {
    const { validFrom, validTo } = new X509Certificate(block);
    if (Date.parse(validTo) < now) return `a certificate is valid until ${new Date(validTo).toISOString()} only`;
    if (Date.parse(validFrom) > now) return `a certificate is valid from ${new Date(validFrom).toISOString()} only`;
  }
  return undefined;
}

/** What a process has open besides its connections, generously. */
const OTHER_FILES = 64;
const FEW_FILES = 1_024;

function openFiles({ maxConnections }: Settings, { openFiles: limit }: Surroundings): Finding[] {
  const needed = Math.max(FEW_FILES, maxConnections === 0 ? 0 : maxConnections + OTHER_FILES);
  if (limit === undefined || limit >= needed) return [];
  return [
    {
      setting: 'MAX_CONNECTIONS',
      what: `this process may have ${limit} files open`,
      why: 'each connection is one, and one more is the connection to its upstream',
      remedy: `allow at least ${needed} (ulimit -n, LimitNOFILE, ulimits)`,
    },
  ];
}

const URLS = [
  'GATEWAY_URL',
  'UPSTREAM_URL',
  'AUTH_OIDC_ISSUER',
  'AUTH_JWKS_URL',
  'AUTH_INTROSPECTION_URL',
  'AUTH_FORWARD_URL',
] as const;

function unencrypted(settings: Settings): Finding[] {
  const named = URLS.map((setting) => ({ setting, url: settings[camelCase(setting)] as string | undefined })); // of the type url
  const routed = [...(settings.routesFile?.content.matchAll(/"((?:ws|http):[^"]+)"/gi) ?? [])];
  return [...named, ...routed.map(([, url]) => ({ setting: 'ROUTES_FILE', url }))].flatMap(({ setting, url }) => {
    if (url === undefined || !URL.canParse(url)) return [];
    const { protocol, hostname } = new URL(url);
    if (!['ws:', 'http:'].includes(protocol) || isLoopback(hostname)) return [];
    const better = protocol === 'ws:' ? 'wss:' : 'https:';
    const why = 'tickets, credentials and messages cross a network in clear';
    return [{ setting, what: `has ${protocol} beyond this machine`, why, remedy: `use ${better}` }];
  });
}

function unencryptedRedis(settings: Settings): Finding[] {
  const { redisUrl, redisSentinels, redisClusterNodes, redisSentinelTls, authSessionRedisUrl } = settings;
  const finding = (setting: SettingName, remedy: string): Finding => ({
    setting,
    what: 'Redis is asked without TLS beyond this machine',
    why: 'its password and all tickets cross a network in clear',
    remedy,
  });
  const remote = (url: string): boolean => !isLoopback(new URL(url).hostname);
  const clear = (url: string | undefined): boolean => url === undefined || !isRedisTls(url);
  const away = [...(redisSentinels ?? []), ...(redisClusterNodes ?? [])].some(({ host }) => !isLoopback(host));
  const single = redisSentinels === undefined && redisClusterNodes === undefined && redisUrl !== undefined;
  const findings: Finding[] = [];
  if (clear(redisUrl) && (away || (single && remote(redisUrl)))) findings.push(finding('REDIS_URL', 'use rediss://'));
  if (redisSentinels !== undefined && away && !redisSentinelTls) {
    findings.push(finding('REDIS_SENTINEL_TLS', 'set REDIS_SENTINEL_TLS=true'));
  }
  if (authSessionRedisUrl !== undefined && clear(authSessionRedisUrl) && remote(authSessionRedisUrl)) {
    findings.push(finding('AUTH_SESSION_REDIS_URL', 'use rediss://'));
  }
  return findings;
}

function unlimited(settings: Settings): Finding[] {
  return settingNames
    .filter((name) => name.startsWith('MAX_') && settings[camelCase(name)] === 0)
    .map((setting) => ({
      setting,
      what: 'is 0, which is no limit',
      why: 'one client may take as much as it likes, of what others need too',
      remedy: 'set a limit that nobody reaches in ordinary use',
    }));
}
