import type { JWTPayload } from 'jose';
import type { JwtRules } from './jwt.ts';

/** The rules about claims. */
export type ClaimRules = Pick<JwtRules, 'issuer' | 'audience' | 'clockToleranceSeconds'>;

/**
 * Whether the registered claims of a JWT (RFC 7519 §4.1) satisfy the rules.
 *
 * @param payload untrusted JSON of any shape
 * @param now Unix seconds
 */
export function claimsHold(payload: JWTPayload, rules: ClaimRules, now: number): boolean {
  const { iss, aud, exp, nbf, iat }: Record<string, unknown> = payload;
  const { issuer, audience, clockToleranceSeconds } = rules;
  if (issuer !== undefined && iss !== issuer) return false;
  if (audience !== undefined && aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) return false;
  if (![exp, nbf, iat].every((moment) => moment === undefined || typeof moment === 'number')) return false;
  if (typeof nbf === 'number' && nbf > now + clockToleranceSeconds) return false;
  return typeof exp !== 'number' || exp > now - clockToleranceSeconds;
}
