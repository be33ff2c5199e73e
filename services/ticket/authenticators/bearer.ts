import { type Authenticator, credentialsOf, type TokenVerifier } from './authenticator.ts';

/** A longer token is refused unread. */
const MAX_TOKEN_LENGTH = 8_192;

/** RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** A verifier of all kinds of tokens. The first one that knows the kind of a token decides. */
export function firstThatKnows(verifiers: readonly TokenVerifier[]): TokenVerifier {
  return {
    async verify(token, from) {
      if (token.length > MAX_TOKEN_LENGTH)
        return { kind: 'invalid', reason: `longer than ${MAX_TOKEN_LENGTH} characters` };
      if (!TOKEN.test(token)) return { kind: 'invalid', reason: 'not a Bearer token (RFC 6750 section 2.1)' };
      const reasons = new Set<string>();
      for (const verifier of verifiers) {
        const found = await verifier.verify(token, from);
        if (found.kind !== 'none') return found;
        if (found.reason !== undefined) reasons.add(found.reason);
      }
      return {
        kind: 'invalid',
        reason: `no setting is for such a token: ${[...reasons].join(', ') || 'of another kind'}`,
      };
    },
  };
}

/** Bearer tokens (RFC 6750). */
export function createBearerAuthenticator({ verify }: TokenVerifier): Authenticator {
  return {
    challenge: (invalid) => `Bearer realm="oncegate"${invalid ? ', error="invalid_token"' : ''}`,
    async authenticate(request, from) {
      const token = credentialsOf(request, 'bearer');
      return token === undefined ? { kind: 'none' } : verify(token, from);
    },
  };
}
