/** An origin as RFC 6454 §6.2 serialises it; the host name without its port is the first group. */
const ORIGIN = /^[a-z][a-z0-9+.-]{0,31}:\/\/(\[[0-9a-f:.]{2,45}\]|[^\s/?#@:[\]\\]{1,253})(?::\d{1,5})?$/;

/** Whether a string has the form of an origin. `null` has not: it names nobody. */
export function isOrigin(value: string): boolean {
  if (!ORIGIN.test(value)) return false;
  return !/^https?:/.test(value) || (URL.canParse(value) && new URL(value).origin === value);
}

/** The host name of an origin, without its port, or null where it is not an origin. */
export function hostNameOfOrigin(origin: string): string | null {
  return isOrigin(origin) ? (ORIGIN.exec(origin)?.[1] ?? null) : null;
}

/** The host name of a `Host` header (RFC 9110 §7.2), without its port, in lower case. */
export function hostNameOfHost(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

/** The host of an origin with its port, as a `Host` header has it, or null where it is not an origin. */
export function hostOfOrigin(origin: string): string | null {
  return isOrigin(origin) ? origin.slice(origin.indexOf('://') + 3) : null;
}
