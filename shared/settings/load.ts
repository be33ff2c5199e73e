import { existsSync, readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { parseEnv } from 'node:util';
import { isRedisTls } from '../store/redis/redis-client.ts';
import { camelCase, type SettingName, type Settings, settingNames, settingRow } from './table.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One line about something wrong in the configuration: the setting and what it must be, never a secret's value. */
export type Fault = string;

export type LoadedSettings =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** The environment of the process. It overrides a `.env` file in the working directory. */
export function readEnvironment(path = '.env'): Environment {
  const fromFile = isFile(path) ? parseEnv(readFileSync(path, 'utf8').replace(/^\uFEFF/, '')) : {};
  return { ...fromFile, ...process.env };
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/**
 * A check that needs more than one setting, or the content of a file. It gets the values that are in bounds,
 * and `written`: whether a setting has any value. So each fault is reported once.
 */
export type Rule = (values: Partial<Settings>, written: (name: SettingName) => boolean) => Fault[];

/** The settings in an environment, or all its faults. An empty value counts as none. */
export function loadSettings(environment: Environment, rules: readonly Rule[]): LoadedSettings {
  const faults: Fault[] = [];
  const values: Record<string, unknown> = {};
  for (const name of settingNames) {
    const row = settingRow(name);
    const text = environment[name] || row.default;
    if (text === undefined) continue;
    const parsed = row.type.schema.safeParse(text);
    if (parsed.success) {
      values[camelCase(name)] = parsed.data;
    } else {
      // A URL may hold a password, also one that was written into the wrong setting.
      const hidden = row.secret || text.includes('@');
      faults.push(`${name}: must be ${row.type.form}${hidden ? '' : `, not ${JSON.stringify(text)}`}`);
    }
  }

  const written = (name: SettingName): boolean => Boolean(environment[name]);
  for (const rule of [...commonRules, ...rules]) {
    faults.push(...rule(values as Partial<Settings>, written)); // each value was made by its row's own type
  }
  return faults.length === 0 ? { ok: true, settings: values as Settings } : { ok: false, faults };
}

/** For a service that cannot run on the in-memory store. */
export const redisIsNeeded: Rule = (_, written) =>
  written('REDIS_URL') || written('REDIS_SENTINELS') || written('REDIS_CLUSTER_NODES')
    ? []
    : ['REDIS_URL: must be set (or REDIS_SENTINELS, or REDIS_CLUSTER_NODES): this service keeps its tickets in Redis'];

function together(name: SettingName, other: SettingName): Rule {
  return (_, written) => (written(name) && !written(other) ? [`${other}: must be set, because ${name} is`] : []);
}

const oneRedis: Rule = (_, written) =>
  written('REDIS_SENTINELS') && written('REDIS_CLUSTER_NODES')
    ? ['REDIS_CLUSTER_NODES: must not be set together with REDIS_SENTINELS']
    : [];

/** Whoever names an authority means TLS. Without it the password would go out in clear. */
const redisTls: Rule = ({ redisCaFile, redisUrl, redisSentinelTls, authSessionRedisUrl }) => {
  const overTls = [redisUrl, authSessionRedisUrl].some((url) => url !== undefined && isRedisTls(url));
  return redisCaFile === undefined || redisSentinelTls === true || overTls
    ? []
    : ['REDIS_CA_FILE: needs TLS: REDIS_URL that begins with rediss://, or REDIS_SENTINEL_TLS'];
};

const matchingTls: Rule = ({ tlsCertFile, tlsKeyFile }) => {
  if (tlsCertFile === undefined || tlsKeyFile === undefined) return [];
  return isTlsPair(tlsCertFile.content, tlsKeyFile.content)
    ? []
    : ['TLS_CERT_FILE, TLS_KEY_FILE: must be a PEM certificate chain and the private key that belongs to it'];
};

/** Whether a server can use these two. Node takes empty ones, and then no handshake succeeds. */
export function isTlsPair(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key });
    return cert !== '' && key !== '';
  } catch {
    return false;
  }
}

const commonRules: readonly Rule[] = [
  oneRedis,
  together('REDIS_SENTINELS', 'REDIS_SENTINEL_NAME'),
  together('REDIS_SENTINEL_NAME', 'REDIS_SENTINELS'),
  together('REDIS_SENTINEL_PASSWORD', 'REDIS_SENTINELS'),
  together('REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD'),
  redisTls,
  together('TLS_CERT_FILE', 'TLS_KEY_FILE'),
  together('TLS_KEY_FILE', 'TLS_CERT_FILE'),
  matchingTls,
];
