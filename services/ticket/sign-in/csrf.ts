import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../../shared/refusals.ts';
import { hostOfOrigin } from '../../../shared/ticket/origin.ts';
import { isListed } from '../../../shared/ticket/origin-list.ts';

/** A request with one of these headers comes from a script: no form or image can set them. */
const CUSTOM_HEADERS = ['x-requested-with', 'x-oncegate'];

const SAFE_METHODS: readonly (string | undefined)[] = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Refuses a request that another site may have made a browser send (ASVS 3.5.1 to 3.5.3). It applies to
 * credentials that browsers add by themselves. SameSite cookies are no substitute: a sibling subdomain is
 * the same site.
 *
 * @param host the host that the client addressed
 * @param allowedOrigins other origins whose pages may ask for tickets
 * @returns undefined if the request is allowed
 */
export function csrfRefusal(
  request: IncomingMessage,
  host: string,
  allowedOrigins: readonly string[],
): Refusal | undefined {
  if (SAFE_METHODS.includes(request.method)) return undefined;
  const { origin, 'sec-fetch-site': site, 'content-type': contentType = '' } = request.headers;

  const deliberate =
    /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i.test(contentType.trim()) ||
    CUSTOM_HEADERS.some((name) => request.headers[name] !== undefined);
  if (!deliberate) {
    return {
      code: 'csrf_refused',
      detail: 'With a cookie the request needs Content-Type: application/json or an X-Requested-With header.',
    };
  }

  const listed = origin !== undefined && isListed(origin, allowedOrigins);
  const own = origin !== undefined && isOwn(origin, host.toLowerCase());
  if (origin !== undefined && !own && !listed) {
    return {
      code: 'csrf_refused',
      detail: 'With a cookie the Origin must be that of this host, or one of ALLOWED_ORIGINS.',
    };
  }
  if (typeof site === 'string' && site !== 'same-origin' && site !== 'none' && !listed) {
    return {
      code: 'csrf_refused',
      detail: 'With a cookie Sec-Fetch-Site must be same-origin, unless the Origin is in ALLOWED_ORIGINS.',
    };
  }
  return undefined;
}

/** A proxy may write the default port into the host; an origin never has it (RFC 6454 §6.2). */
export function isOwn(origin: string, host: string): boolean {
  const own = hostOfOrigin(origin);
  return own !== null && (own === host || `${own}:${origin.startsWith('https:') ? 443 : 80}` === host);
}
