import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { readTextFile } from '../files/text-file.ts';
import { TrustedProxies } from '../http/trusted-proxies.ts';
import type { HostPort } from '../store/redis/redis-client.ts';
import { comparableHost, HOST, HOST_FORM } from '../ticket/origin.ts';
import { isListable, ORIGIN_LIST_FORM } from '../ticket/origin-list.ts';
import { pathFault } from '../ticket/path.ts';

/** How the text of a setting becomes its value, and what a person may write. */
export interface ValueType<T> {
  /** What is allowed, in words: it completes "must be ...". */
  readonly form: string;
  readonly schema: z.ZodType<T, string>;
}

function valueType<T>(form: string, parse: (text: string) => T | undefined): ValueType<T> {
  const schema = z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${form}` });
    return z.NEVER;
  });
  return { form, schema };
}

/** A whole number within bounds. The unit is for the reader only. */
export function integer(min: number, max: number, unit = ''): ValueType<number> {
  const form = `a whole number from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}`;
  return valueType(form, (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  });
}

export function choice<const T extends string>(...values: T[]): ValueType<T> {
  return valueType(`one of ${values.join(', ')}`, (text) => values.find((value) => value === text));
}

export const flag: ValueType<boolean> = valueType('true or false', (text) =>
  text === 'true' ? true : text === 'false' ? false : undefined,
);

export function text(form: string, pattern: RegExp): ValueType<string> {
  return valueType(form, (value) => (pattern.test(value) ? value : undefined));
}

/** A secret of at least this many bytes (UTF-8). */
export function secret(minBytes: number): ValueType<string> {
  return valueType(`a secret of at least ${minBytes} bytes`, (value) =>
    Buffer.byteLength(value) >= minBytes ? value : undefined,
  );
}

export interface FileContent {
  readonly path: string;
  readonly content: string;
}

/** The content of a readable file, as text. */
export const file: ValueType<FileContent> = valueType('the path of a readable file in UTF-8', read);

function read(path: string): FileContent | undefined {
  try {
    return { path, content: readTextFile(path) };
  } catch {
    return undefined;
  }
}

/**
 * PEM certificates (RFC 7468 §5), with any text between them. OpenSSL stops at the first certificate that it
 * cannot read and reports nothing. So each is read here, and the content is the certificates only.
 */
export const certificates: ValueType<FileContent> = valueType(
  'the path of a readable file of PEM certificates, all of them whole',
  (path) => {
    try {
      const blocks = readFileSync(path, 'utf8').split(/(?=-----BEGIN CERTIFICATE-----)/);
      const found = blocks.filter((block) => block.startsWith('-----BEGIN CERTIFICATE-----'));
      const content = found.map((block) => new X509Certificate(block).toString()).join('');
      return content === '' ? undefined : { path, content };
    } catch {
      return undefined;
    }
  },
);

/** An absolute URL of one of these schemes, to which a path can be appended. */
export function url(...schemes: readonly string[]): ValueType<string> {
  const form = `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}, without user, password, query or fragment`;
  return valueType(form, (value) => {
    if (!URL.canParse(value) || /[?#]/.test(value)) return undefined;
    const { protocol, username, password, hostname } = new URL(value);
    const known = schemes.includes(protocol.slice(0, -1)) && hostname !== '';
    return known && username === '' && password === '' ? value : undefined;
  });
}

/** A WebSocket address whose path every server reads alike, as the path of an upgrade has to be. */
export const webSocketUrl: ValueType<string> = (() => {
  const { form, schema } = url('ws', 'wss');
  return valueType(`${form}, and with a path that servers read alike`, (value) => {
    // As it is written: a URL object has its dot segments resolved already.
    const [, path = ''] = /^wss?:\/\/[^/]*(\/.*)?$/i.exec(value) ?? [];
    return schema.safeParse(value).success && (path === '' || pathFault(path) === undefined) ? value : undefined;
  });
})();

/** A Redis server: `redis[s]://[user:password@]host[:port][/database]`. No query: it could set options of the client. */
export const redisUrl: ValueType<string> = valueType(
  'redis:// or rediss://, then [user:password@]host[:port][/database number], the password percent-encoded',
  (value) => {
    if (!URL.canParse(value) || /[?#]/.test(value)) return undefined;
    const { protocol, username, password, hostname, pathname } = new URL(value);
    if (!/^rediss?:$/.test(protocol) || hostname === '' || !/^(?:\/\d{0,4})?$/.test(pathname)) return undefined;
    return isPercentEncoded(username) && isPercentEncoded(password) ? value : undefined;
  },
);

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** A comma-separated list without empty or repeated items. */
export function list<T>(form: string, item: (text: string) => T | undefined): ValueType<readonly T[]> {
  return valueType(form, (value) => {
    const texts = value.split(',').map((part) => part.trim());
    if (new Set(texts).size !== texts.length) return undefined;
    const items = texts.map(item);
    return items.every((parsed) => parsed !== undefined) ? items : undefined;
  });
}

export const hostPorts: ValueType<readonly HostPort[]> = list('host:port, host:port, ...', (text) => {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port < 1 || port > 65_535) return undefined;
  return { host: match[1].replace(/^\[|\]$/g, ''), port };
});

/** Origins, or patterns and words that stand for some. `null` is not allowed. */
export const origins: ValueType<readonly string[]> = list(ORIGIN_LIST_FORM, (text) =>
  isListable(text) ? text : undefined,
);

/** Hosts of a `Host` header, each as {@link comparableHost} writes it. */
export const hosts: ValueType<readonly string[]> = list(`hosts, comma-separated, each ${HOST_FORM}`, (text) =>
  HOST.test(text) ? comparableHost(text) : undefined,
);

/** Addresses and CIDR blocks of proxies whose `X-Forwarded-*` headers are believed. */
export const trustedAddresses: ValueType<TrustedProxies> = valueType(
  'IP addresses or CIDR blocks such as 10.0.0.0/8, comma-separated',
  (value) => {
    const trusted = new TrustedProxies();
    return value.split(',').every((part) => trusted.add(part.trim())) ? trusted : undefined;
  },
);

/** Claim names, comma-separated. */
export const names: ValueType<readonly string[]> = list('names of claims, comma-separated', (text) =>
  /^[^\s,]{1,128}$/.test(text) ? text : undefined,
);

/** The path to a value in a JSON object: names with dots between them. */
export const jsonPath: ValueType<string> = text(
  'names with dots between them, such as passport.user.id',
  /^[^\s.]+(\.[^\s.]+)*$/,
);

/** An HTTP header name (RFC 9110 §5.1), in lower case. */
export const headerName: ValueType<string> = valueType('the name of an HTTP header', (value) =>
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/.test(value) ? value.toLowerCase() : undefined,
);
