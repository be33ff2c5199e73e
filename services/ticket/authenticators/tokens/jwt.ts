import type { KeyObject } from 'node:crypto';
import {
  decodeJwt,
  decodeProtectedHeader,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import type { Authentication } from '../authenticator.ts';
import { authenticated, type IdentityRules, principalOf } from '../identity.ts';

/** What every JWT must satisfy, whoever signed it (RFC 8725). */
export interface JwtRules extends IdentityRules {
  /** The `iss` that a token must have. */
  readonly issuer: string | undefined;
  /** The `aud` that a token must have. */
  readonly audience: string | undefined;
  /** How far the clocks may be apart, in seconds. */
  readonly clockToleranceSeconds: number;
}

export const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
export const EDWARDS_ALGORITHMS = ['EdDSA', 'Ed25519'];
/** The algorithm of each curve, by OpenSSL's name of the curve. */
export const EC_ALGORITHMS: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};
export const ASYMMETRIC_ALGORITHMS = [...RSA_ALGORITHMS, ...Object.values(EC_ALGORITHMS), ...EDWARDS_ALGORITHMS];

/** RFC 8725 §3.11: a JWT of another type, such as `logout+jwt`, is no credential, though the same key signed it. */
const CREDENTIAL_TYPE = /^(application\/)?(at\+)?jwt$/i;

/** The content of a JWT before it is verified. */
export interface UnverifiedJwt {
  readonly header: ProtectedHeaderParameters;
  readonly payload: JWTPayload;
}

/** Decodes a JWT without verifying it; null if it is not a JWT. */
export function peekJwt(token: string): UnverifiedJwt | null {
  try {
    return { header: decodeProtectedHeader(token), payload: decodeJwt(token) };
  } catch {
    return null;
  }
}

/** Thrown by a key source that is unavailable. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** Verifies a JWT. Attack: the caller, not the token, chooses the algorithms that belong to the key. */
export async function verifyJwt(
  token: string,
  key: KeyObject | JWTVerifyGetKey,
  algorithms: readonly string[],
  rules: JwtRules,
): Promise<Authentication> {
  const options: JWTVerifyOptions = {
    algorithms: [...algorithms],
    clockTolerance: rules.clockToleranceSeconds,
    ...(rules.issuer !== undefined && { issuer: rules.issuer }),
    ...(rules.audience !== undefined && { audience: rules.audience }),
  };
  try {
    const { payload, protectedHeader } = await (typeof key === 'function'
      ? jwtVerify(token, key, options)
      : jwtVerify(token, key, options));
    return authenticationOf({ header: protectedHeader, payload }, rules);
  } catch (error) {
    if (error instanceof KeysUnavailable) return { kind: 'unavailable', code: 'authentication_unavailable' };
    return { kind: 'invalid' }; // the answer does not tell what is wrong
  }
}

/** The authentication for a JWT whose signature and claims are verified. */
export function authenticationOf({ header, payload }: UnverifiedJwt, rules: JwtRules): Authentication {
  if (header.typ !== undefined && !CREDENTIAL_TYPE.test(header.typ)) return { kind: 'invalid' };
  const expiresAt = payload.exp === undefined ? undefined : Math.floor(payload.exp * 1000);
  // No clock tolerance here: with an expired token, the ticket would expire at once.
  if (expiresAt !== undefined && expiresAt <= Date.now()) return { kind: 'invalid' };
  return authenticated(principalOf(payload, rules, expiresAt));
}
