import type { TokenVerifier } from '../authenticator.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { type JwtRules, peekJwt, verifyJwt } from './jwt.ts';
import { isAsymmetric } from './jwt-signature.ts';

/**
 * JWTs of an OpenID Connect issuer, or of the owner of a JWKS. If an issuer is configured, tokens of
 * another `iss` are left to other verifiers.
 */
export function createIssuerVerifier(keys: IssuerKeys, rules: JwtRules): TokenVerifier {
  return {
    async verify(token) {
      const { header: { alg } = {}, payload } = peekJwt(token) ?? {};
      if (!isAsymmetric(alg)) return { kind: 'none' };
      if (rules.issuer !== undefined && payload?.iss !== rules.issuer) return { kind: 'none' };
      return verifyJwt(token, keys.find, rules);
    },
  };
}
