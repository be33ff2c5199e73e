import { isOrigin } from './origin.ts';

/** Any origin. */
const ANY = '*';
/** The gateway's own host. */
const SELF = 'self';
/** Stands for one label of a host name. */
const LABEL = '*.';

export const ORIGIN_LIST_FORM =
  'origins such as https://example.org, comma-separated, or https://*.example.org for one label, or self, or *';

/** Whether an item of a list of origins can match any request. A list without such an item would refuse without a word. */
export function isListable(item: string): boolean {
  if (item === ANY || item === SELF) return true;
  const [scheme = '', host = '', ...more] = item.split('://');
  if (more.length > 0) return false;
  if (!/^https?$/.test(scheme)) return isOrigin(item) && !item.includes('*');
  if (!host.startsWith(LABEL)) return /^(?:[\w.-]+|\[[\w:.]+\])(?::\d+)?$/.test(host) && isOrigin(item);
  // Attack: behind a single label, such as com, anybody may have a name.
  const [name = ''] = host.slice(LABEL.length).split(':', 1);
  return (name.includes('.') || name === 'localhost') && isListable(item.replace(LABEL, 'a.'));
}

/** Whether a list names an origin, as it is or by a pattern such as `https://*.example.org`; not whether it allows any. */
export function isListed(origin: string, list: readonly string[]): boolean {
  return list.some((item) => (item.includes('*') ? fits(origin, item) : item === origin && item !== SELF));
}

export function allowsAny(list: readonly string[]): boolean {
  return list.includes(ANY);
}

/** Whether a list allows the gateway's own host as the origin. */
export function allowsSelf(list: readonly string[]): boolean {
  return list.includes(SELF);
}

function fits(origin: string, item: string): boolean {
  const at = item.indexOf(LABEL);
  if (at < 0) return false;
  const [before, behind] = [item.slice(0, at), item.slice(at + 1)];
  return (
    origin.startsWith(before) &&
    origin.endsWith(behind) &&
    /^[a-z0-9_-]+$/.test(origin.slice(before.length, origin.length - behind.length))
  );
}

/**
 * Whether an origin is that of a host, by scheme, host and port (RFC 6454 §5). It need not be serialised: some native
 * clients make it from the URL that they dial, in its letter case and with a default port.
 *
 * @param scheme of the request, as far as it is known; undefined for either
 */
export function isOwnOrigin(origin: string, host: string, scheme?: 'http' | 'https'): boolean {
  const [, written = '', authority = ''] = /^(https?):\/\/([^\s/?#@\\]{1,300})$/i.exec(origin) ?? [];
  const own = written.toLowerCase();
  if (authority === '' || (scheme !== undefined && own !== scheme)) return false;
  const defaultPort = own === 'https' ? ':443' : ':80';
  const withPort = (text: string): string => (/:\d+$/.test(text) ? text : text + defaultPort).toLowerCase();
  return withPort(authority) === withPort(host);
}
