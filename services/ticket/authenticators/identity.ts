import { isClaims } from '../../../shared/ticket/claims.ts';
import { isSubject } from '../../../shared/ticket/ticket.ts';
import type { Authentication, Principal } from './authenticator.ts';

/** How a verified identity becomes a principal. */
export interface IdentityRules {
  /** The path of the subject: names separated by dots, for example `passport.user.id`. */
  readonly subjectPath: string;
  /** The claims that are copied into tickets, if they are present. */
  readonly claimNames: readonly string[];
}

/**
 * The principal of a verified identity.
 *
 * @returns null if there is no valid subject at the path, or if the claims are out of bounds
 */
export function principalOf(identity: unknown, rules: IdentityRules, expiresAt: number | undefined): Principal | null {
  const subject = subjectAt(identity, rules.subjectPath);
  if (subject === undefined || !isSubject(subject)) return null;
  const claims = pick(identity, rules.claimNames);
  if (!isClaims(claims)) return null;
  return {
    subject,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(Object.keys(claims).length > 0 && { claims }),
  };
}

/** The authentication for a verified identity; invalid if it has no principal. */
export function authenticated(principal: Principal | null): Authentication {
  return principal === null ? { kind: 'invalid' } : { kind: 'principal', principal };
}

/** The subject at a path: a string, or a whole number, as database ids are. */
export function subjectAt(identity: unknown, path: string): string | undefined {
  let value = identity;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  return typeof value === 'string' ? value : undefined;
}

function pick(identity: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof identity !== 'object' || identity === null) return {};
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(identity, name)).map((name) => [name, Reflect.get(identity, name)]),
  );
}
