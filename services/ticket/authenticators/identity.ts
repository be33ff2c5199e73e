import { isSubject } from '../../../shared/ticket/ticket.ts';
import type { Authentication } from './authenticator.ts';

/** How a verified identity becomes a principal. */
export interface IdentityRules {
  /**
   * Where the subject is: the name of a claim, or a path of names separated by dots, for example
   * `passport.user.id`. A name may have dots itself, as `https://example.org/user_id` does.
   */
  readonly subjectPath: string;
  /** The claims that are copied into tickets, if they are present. Their bounds are checked when a ticket is issued. */
  readonly claimNames: readonly string[];
}

/** The authentication for a verified identity; invalid if it has no valid subject. */
export function authenticated(identity: unknown, rules: IdentityRules, expiresAt: number | undefined): Authentication {
  const subject = subjectAt(identity, rules.subjectPath);
  if (subject === undefined || !isSubject(subject)) {
    return { kind: 'invalid', reason: `there is no valid subject at ${rules.subjectPath}` };
  }
  const claims = pick(identity, rules.claimNames);
  return {
    kind: 'principal',
    principal: {
      subject,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(Object.keys(claims).length > 0 && { claims }),
    },
  };
}

/** The subject at a path: a string, or a whole number, as database ids are. */
export function subjectAt(identity: unknown, path: string): string | undefined {
  const value = valueAt(identity, path.split('.'));
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** The value at a path. The longest name that an object has is taken: a name with dots comes before a path. */
function valueAt(value: unknown, names: readonly string[]): unknown {
  if (names.length === 0) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  for (let length = names.length; length > 0; length -= 1) {
    const name = names.slice(0, length).join('.');
    if (Object.hasOwn(value, name)) return valueAt(Reflect.get(value, name), names.slice(length));
  }
  return undefined;
}

/** The last moment that a Date can tell, in Unix ms. */
const LAST_MOMENT = 8_640_000_000_000_000;

/** When credentials end, in Unix ms; absent if they do not. Not `ok` if nobody can tell. */
export type End = { readonly ok: true; readonly at?: number } | { readonly ok: false };

/**
 * When credentials end, as a counterpart tells it: a finite number, rounded down to a whole ms. Anything else that
 * is there is no moment. Ignoring it would turn an expiry into none.
 *
 * @param unitMs 1,000 for Unix seconds, as in a JWT (RFC 7519 §4.1.4)
 */
export function endOf(value: unknown, unitMs: 1 | 1_000): End {
  if (value === undefined) return { ok: true };
  if (typeof value !== 'number' || !Number.isFinite(value)) return { ok: false };
  const at = Math.floor(value * unitMs);
  return { ok: true, at: Math.max(-LAST_MOMENT, Math.min(at, LAST_MOMENT)) };
}

/** The member of a JSON object; undefined if it has none. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function pick(identity: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof identity !== 'object' || identity === null) return {};
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(identity, name)).map((name) => [name, Reflect.get(identity, name)]),
  );
}
