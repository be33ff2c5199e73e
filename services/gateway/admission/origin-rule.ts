import { hostNameOfHost, hostNameOfOrigin } from '../../../shared/ticket/origin.ts';

/**
 * Whether a page of this origin may connect (ASVS 4.4.2: cross-site WebSocket hijacking).
 *
 * @param origin the `Origin` of the request. A request without one is not from a browser, and passes.
 * @param host the host that the client asked for
 * @param allowed `ALLOWED_ORIGINS`. Without it the host name of the origin must be that of `host`.
 */
export function originAllowed(
  origin: string | undefined,
  host: string,
  allowed: readonly string[] | undefined,
): boolean {
  if (origin === undefined) return true;
  if (origin === 'null') return false;
  if (allowed !== undefined) return allowed.includes('*') || allowed.includes(origin);
  return hostNameOfOrigin(origin) === hostNameOfHost(host);
}
