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

/** Why an origin is refused, for the log. */
export function originReason(origin: string | undefined, { host }: Addressed): string {
  return origin !== undefined && isOwnOrigin(origin, host)
    ? "the origin is the gateway's own host: native clients send that; ALLOWED_ORIGINS allows it by the word self"
    : 'the origin is not in ALLOWED_ORIGINS; without that, it is not the host that the request is addressed to';
}

/** Attack: by DNS rebinding a page of any site reaches the gateway under that site's own name, so `self` would be any site. */
export const SELF_NEEDS_HOSTS = 'must be set where origins have the word self: without it any site could be self';

export const selfRule: Rule = ({ allowedOrigins = [] }, written) =>
  allowsSelf(allowedOrigins) && !written('ALLOWED_HOSTS') ? [`ALLOWED_HOSTS: ${SELF_NEEDS_HOSTS}`] : [];
