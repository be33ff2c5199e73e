import type { KeyObject } from 'node:crypto';
import {
  decodeJwt,
  decodeProtectedHeader,
  type JWTHeaderParameters,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose';
import { utf8Text } from '../../../../shared/utf8.ts';
import type { Authentication } from '../authenticator.ts';
import { authenticated, endOf, type IdentityRules } from '../identity.ts';
import { type ClaimRules, EXPIRED, unmetClaim } from './jwt-claims.ts';
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
    // jose decodes malformed UTF-8 too, and two subjects would become one.
    for (const part of token.split('.', 2)) {
      if (utf8Text(Buffer.from(part, 'base64url')) === undefined) return null;
    }
    return { header: decodeProtectedHeader(token), payload: decodeJwt(token) };
  } catch {
    return null;
  }
}

/** What a verifier of JWTs says of another token. */
export const NOT_A_JWT: Authentication = { kind: 'none', reason: 'it is no JWT' };
export const NOT_ASYMMETRIC: Authentication = { kind: 'none', reason: 'its alg is not asymmetric' };

/** Why a JWT is refused, besides its claims. */
export const REASONS = {
  crit: 'its header has crit, and no extension is supported',
  key: 'there is no key for its kid and alg',
  signature: 'its signature is wrong',
  typ: 'its typ is neither JWT nor at+jwt',
} as const;

export function invalid(reason: string): Authentication {
  return { kind: 'invalid', reason };
}

/** Thrown by a key source that is unavailable. The message says why. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/**
 * Finds the public keys that may have signed a token with this header. It throws {@link KeysUnavailable}, or any
 * other error if there is none.
 */
export type KeySource = (header: JWTHeaderParameters) => Promise<readonly KeyObject[]>;

/**
 * Verifies a JWT that is signed by an asymmetric algorithm. A test compares it with jose's `jwtVerify`.
 *
 * @param jwt the token as {@link peekJwt} has it, for a caller that has decoded it already
 */
export async function verifyJwt(
  token: string,
  keys: KeySource,
  rules: JwtRules,
  jwt = peekJwt(token),
): Promise<Authentication> {
  const { alg } = jwt?.header ?? {};
  if (jwt === null) return NOT_A_JWT;
  if (!isAsymmetric(alg)) return NOT_ASYMMETRIC;
  if (!hasNoExtensions(jwt)) return invalid(REASONS.crit);
  try {
    const candidates = await keys({ ...jwt.header, alg });
    // Attack: a key decides which algorithms it may be used with, not the token.
    if (!candidates.some((key) => isSignedBy(token, alg, key))) return invalid(REASONS.signature);
  } catch (error) {
    if (!(error instanceof KeysUnavailable)) return invalid(REASONS.key);
    const reason = `the keys of the issuer cannot be read: ${error.message}`;
    return { kind: 'unavailable', code: 'authentication_unavailable', reason };
  }
  return authenticationOf(jwt, rules);
}

/** RFC 7515 §4.1.11: `crit` names extensions that must be understood. None is supported. */
export function hasNoExtensions({ header }: UnverifiedJwt): boolean {
  return header.crit === undefined;
}

/** The authentication for a JWT whose signature is verified. */
export function authenticationOf({ header, payload }: UnverifiedJwt, rules: JwtRules): Authentication {
  const unmet = unmetClaim(payload, rules, Math.floor(Date.now() / 1000));
  if (unmet !== undefined) return invalid(unmet);
  if (header.typ !== undefined && !CREDENTIAL_TYPE.test(header.typ)) return invalid(REASONS.typ);
  const end = endOf(payload.exp, 1_000);
  if (!end.ok) return invalid('its exp is not a finite number');
  // No clock tolerance here: with an expired token, the ticket would expire at once.
  if (end.at !== undefined && end.at <= Date.now()) return invalid(EXPIRED);
  return authenticated(payload, rules, end.at);
}
