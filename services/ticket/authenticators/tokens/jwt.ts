import type { KeyObject } from 'node:crypto';
import {
  decodeJwt,
  decodeProtectedHeader,
  type JWTHeaderParameters,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose';
import type { Authentication } from '../authenticator.ts';
import { authenticated, type IdentityRules, principalOf } from '../identity.ts';
import { type ClaimRules, claimsHold } from './jwt-claims.ts';
import { isAsymmetric, isSignedBy } from './jwt-signature.ts';

/** What every JWT must satisfy, whoever signed it. */
export interface JwtRules extends IdentityRules, ClaimRules {}

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

/**
 * Finds the public keys that may have signed a token with this header. It throws {@link KeysUnavailable}, or any
 * other error if there is none.
 */
export type KeySource = (header: JWTHeaderParameters) => Promise<readonly KeyObject[]>;

/** Verifies a JWT that is signed by an asymmetric algorithm. A test compares it with jose's `jwtVerify`. */
export async function verifyJwt(token: string, keys: KeySource, rules: JwtRules): Promise<Authentication> {
  const jwt = peekJwt(token);
  const { alg } = jwt?.header ?? {};
  if (jwt === null || !isAsymmetric(alg) || !hasNoExtensions(jwt)) return { kind: 'invalid' };
  try {
    const candidates = await keys({ ...jwt.header, alg });
    // Attack: a key decides which algorithms it may be used with, not the token.
    if (!candidates.some((key) => isSignedBy(token, alg, key))) return { kind: 'invalid' };
  } catch (error) {
    if (error instanceof KeysUnavailable) return { kind: 'unavailable', code: 'authentication_unavailable' };
    return { kind: 'invalid' }; // the answer does not tell what is wrong
  }
  return authenticationOf(jwt, rules);
}

/** RFC 7515 §4.1.11: `crit` names extensions that must be understood. None is supported. */
export function hasNoExtensions({ header }: UnverifiedJwt): boolean {
  return header.crit === undefined;
}

/** The authentication for a JWT whose signature is verified. */
export function authenticationOf({ header, payload }: UnverifiedJwt, rules: JwtRules): Authentication {
  if (!claimsHold(payload, rules, Math.floor(Date.now() / 1000))) return { kind: 'invalid' };
  if (header.typ !== undefined && !CREDENTIAL_TYPE.test(header.typ)) return { kind: 'invalid' };
  const expiresAt = payload.exp === undefined ? undefined : Math.floor(payload.exp * 1000);
  // No clock tolerance here: with an expired token, the ticket would expire at once.
  if (expiresAt !== undefined && expiresAt <= Date.now()) return { kind: 'invalid' };
  return authenticated(principalOf(payload, rules, expiresAt));
}
