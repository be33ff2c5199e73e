import { type Authentication, type Authenticator, credentialsOf, type TokenVerifier } from './authenticator.ts';

/** A longer token is refused unread. */
const MAX_TOKEN_LENGTH = 8_192;

/** RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** Bearer tokens (RFC 6750). The first verifier that knows the kind of a token decides. */
export function createBearerAuthenticator(verifiers: readonly TokenVerifier[]): Authenticator {
  async function authenticateToken(token: string): Promise<Authentication> {
    if (token.length > MAX_TOKEN_LENGTH || !TOKEN.test(token)) return { kind: 'invalid' };
    for (const verifier of verifiers) {
      const found = await verifier.verify(token);
      if (found.kind !== 'none') return found;
    }
    return { kind: 'invalid' };
  }

  return {
    challenge: (invalid) => `Bearer realm="oncegate"${invalid ? ', error="invalid_token"' : ''}`,
    async authenticate(request) {
      const token = credentialsOf(request, 'bearer');
      return token === undefined ? { kind: 'none' } : authenticateToken(token);
    },
  };
}
