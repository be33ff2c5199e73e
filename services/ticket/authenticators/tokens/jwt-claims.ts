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
 * The registered claim of a JWT (RFC 7519 §4.1) that does not satisfy the rules, in words; undefined if all do.
 *
 * @param payload untrusted JSON of any shape
 * @param now Unix seconds
 */
export function unmetClaim(payload: JWTPayload, rules: ClaimRules, now: number): string | undefined {
  const { iss, aud, exp, nbf, iat }: Record<string, unknown> = payload;
  const { issuer, audience, clockToleranceSeconds } = rules;
  if (issuer !== undefined && iss !== issuer) return `its iss is not ${issuer}`;
  if (audience !== undefined && aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) {
    return `its aud is not ${audience}`;
  }
  for (const [name, moment] of Object.entries({ exp, nbf, iat })) {
    if (moment !== undefined && typeof moment !== 'number') return `its ${name} is not a number`;
  }
  if (typeof nbf === 'number' && nbf > now + clockToleranceSeconds) return 'it is not valid yet (nbf)';
  return typeof exp === 'number' && exp <= now - clockToleranceSeconds ? EXPIRED : undefined;
}

export const EXPIRED = 'it has expired (exp)';
