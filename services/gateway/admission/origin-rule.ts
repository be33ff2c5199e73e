import type { Rule } from '../../../shared/settings/load.ts';
import { hostNameOfHost, hostNameOfOrigin } from '../../../shared/ticket/origin.ts';
import { allowsAny, allowsSelf, isListed, isOwnOrigin } from '../../../shared/ticket/origin-list.ts';

/** What an upgrade is addressed to, as far as it is known. */
export interface Addressed {
  /** The host that the client asked for. */
  readonly host: string;
  /** The scheme that the client used; undefined if a proxy that is not trusted may have changed it. */
  readonly scheme?: 'http' | 'https' | undefined;
}

/**
 * Whether a page of this origin may connect (ASVS 4.4.2: cross-site WebSocket hijacking).
 *
 * @param origin the `Origin` of the request. A request without one is not from a browser, and passes.
 * @param allowed `ALLOWED_ORIGINS`. Without it the host name of the origin must be that of `host`.
 */
export function originAllowed(
  origin: string | undefined,
  { host, scheme }: Addressed,
  allowed: readonly string[] | undefined,
): boolean {
  if (origin === undefined) return true;
  if (origin === 'null') return false;
  if (allowed === undefined) return hostNameOfOrigin(origin) === hostNameOfHost(host);
  return allowsAny(allowed) || isListed(origin, allowed) || (allowsSelf(allowed) && isOwnOrigin(origin, host, scheme));
}

/** What else there is to say about a refused origin, for the log. */
export function originReason(origin: string | undefined, { host }: Addressed): string | undefined {
  if (origin === undefined || !isOwnOrigin(origin, host)) return undefined;
  return "the origin is the gateway's own host, as native clients send it: ALLOWED_ORIGINS allows that by the word self";
}

/** Attack: by DNS rebinding a page of any site reaches the gateway under that site's own name, so `self` would be any site. */
export const SELF_NEEDS_HOSTS = 'must be set where origins have the word self: without it any site could be self';

export const selfRule: Rule = ({ allowedOrigins = [] }, written) =>
  allowsSelf(allowedOrigins) && !written('ALLOWED_HOSTS') ? [`ALLOWED_HOSTS: ${SELF_NEEDS_HOSTS}`] : [];
