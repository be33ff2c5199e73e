import { createSecretKey } from 'node:crypto';
import type { TokenVerifier } from '../authenticator.ts';
import { type JwtRules, peekJwt, verifyJwt } from './jwt.ts';

/** JWTs that are signed with HS256 and a shared secret. */
export function createSharedSecretVerifier(secret: string, rules: JwtRules): TokenVerifier {
  const key = createSecretKey(Buffer.from(secret));
  return {
    async verify(token) {
      return peekJwt(token)?.alg === 'HS256' ? verifyJwt(token, key, ['HS256'], rules) : { kind: 'none' };
    },
  };
}
