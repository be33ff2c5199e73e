import type { TokenVerifier } from '../authenticator.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { type JwtRules, NOT_A_JWT, NOT_ASYMMETRIC, peekJwt, verifyJwt } from './jwt.ts';
import { isAsymmetric } from './jwt-signature.ts';

/**
 * JWTs of an OpenID Connect issuer, or of the owner of a JWKS. If an issuer is configured, tokens of
 * another `iss` are left to other verifiers.
 */
export function createIssuerVerifier(keys: IssuerKeys, rules: JwtRules): TokenVerifier {
  return {
    async verify(token) {
      const jwt = peekJwt(token);
      if (jwt === null) return NOT_A_JWT;
      if (!isAsymmetric(jwt.header.alg)) return NOT_ASYMMETRIC;
      if (rules.issuer !== undefined && jwt.payload.iss !== rules.issuer) {
        return { kind: 'none', reason: `its iss is not ${rules.issuer}` };
      }
      return verifyJwt(token, keys.find, rules, jwt);
    },
  };
}
