import { isTrustedPeer, type Trust } from '../../../shared/http/client-address.ts';
import { isSubject } from '../../../shared/ticket/ticket.ts';
import { utf8Text } from '../../../shared/utf8.ts';
import type { Authentication, Authenticator } from './authenticator.ts';

/**
 * The user that an authenticating proxy names in a header. From any other peer the header is refused, not
 * ignored: it is a forgery, or comes from a proxy that TRUST_PROXY does not list.
 *
 * @param name the header, in lower case
 */
export function createProxyHeaderAuthenticator(name: string, trust: Trust): Authenticator {
  return {
    challenge: () => 'Proxy realm="oncegate"',
    async authenticate(request) {
      // Attack: many servers read `X_Forwarded_User` as `X-Forwarded-User`, so both spellings count.
      const spellings = request.rawHeaders.filter(
        (header, index) => index % 2 === 0 && header.toLowerCase().replaceAll('_', '-') === name.replaceAll('_', '-'),
      );
      if (spellings.length === 0) return { kind: 'none' };
      const value = request.headers[name];
      const invalid = (reason: string): Authentication => ({ kind: 'invalid', reason: `AUTH_PROXY_HEADER: ${reason}` });
      if (!isTrustedPeer(request, trust)) return invalid('it comes from an address that TRUST_PROXY does not list');
      if (spellings.length > 1 || typeof value !== 'string') return invalid('it is there more than once');
      // Node reads the bytes of a header as Latin-1.
      const subject = utf8Text(Buffer.from(value, 'latin1'));
      if (subject === undefined) return invalid('it is not UTF-8');
      return isSubject(subject)
        ? { kind: 'principal', principal: { subject, ambient: true } }
        : invalid('it is no valid subject');
    },
  };
}
