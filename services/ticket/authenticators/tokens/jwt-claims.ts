import type { JWTPayload } from 'jose';
/** The rules about claims (RFC 8725). */
export interface ClaimRules {
  /** The `iss` that a token must have. */
  readonly issuer: string | undefined;
  /** The `aud` that a token must have. */
  readonly audience: string | undefined;
  /** How far the clocks may be apart, in seconds. */
  readonly clockToleranceSeconds: number;
}

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
