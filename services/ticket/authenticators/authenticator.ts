import type { IncomingMessage } from 'node:http';
import type { RefusalCode } from '../../../shared/refusals.ts';

/** Who the caller is, and what its credentials allow. */
export interface Principal {
  readonly subject: string;
  /** When the credentials expire, Unix ms; absent where they do not. */
  readonly expiresAt?: number;
  /** What the credentials say of the subject and the settings ask to be put into tickets. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The browser sends these credentials by itself, whoever made it send the request: see csrf.ts. */
  readonly ambient?: true;
  /** What a back end's key allows beyond its own subject; absent for everybody else. */
  readonly delegation?: Delegation;
}

/** Whether a caller may have and see the tickets of a subject: its own, or one that its key allows. */
export function mayActFor(principal: Principal, subject: string): boolean {
  return subject === principal.subject || principal.delegation?.mayActFor(subject) === true;
}

/** The right to issue for others. */
export interface Delegation {
  mayActFor(subject: string): boolean;
  /** The only audiences of its tickets; absent for any. */
  readonly audiences?: readonly string[];
  /** Whether the key behind it is still in force; asked again right before a ticket is stored. */
  inForce(): boolean;
}

/** Why credentials cannot be checked now. */
type Unavailable = Extract<RefusalCode, 'overloaded' | 'rate_limited' | 'authentication_unavailable'>;

export type Authentication =
  | { readonly kind: 'principal'; readonly principal: Principal }
  /** The request has no credentials of this kind. */
  | { readonly kind: 'none' }
  /** It has, and they are wrong, malformed or expired; `challenges` where the counterpart has its own. */
  | { readonly kind: 'invalid'; readonly challenges?: readonly string[] }
  /** It has, and they cannot be checked now. */
  | { readonly kind: 'unavailable'; readonly code: Unavailable; readonly retryAfterSeconds?: number };

/** One way to authenticate a caller. */
export interface Authenticator {
  /** The challenge of a 401 (RFC 9110 §11.6.1); `invalid` when credentials of this kind were just found so. */
  challenge(invalid: boolean): string;
  authenticate(request: IncomingMessage): Promise<Authentication>;
}

/** One kind of Bearer token. */
export interface TokenVerifier {
  /** Answers `none` for a token that is not of its kind. */
  verify(token: string): Promise<Authentication>;
}

/** The credentials of an `Authorization` header of one scheme (RFC 9110 §11.4), or undefined where it has another. */
export function credentialsOf(request: IncomingMessage, scheme: string): string | undefined {
  const header = request.headers.authorization ?? '';
  const space = header.indexOf(' ');
  const [name, rest] = space === -1 ? [header, ''] : [header.slice(0, space), header.slice(space + 1).trim()];
  return name.toLowerCase() === scheme.toLowerCase() ? rest : undefined;
}

const OF_BROWSERS = /^(basic|digest|negotiate|ntlm)\b/i;

/**
 * Whether the browser may have added the credentials by itself. It adds cookies to whatever a page makes
 * it send, and the logins that it or its system remembers; any other Authorization header a script has
 * set, which CORS allows to listed origins only.
 */
export function isAmbient(authorization: string | undefined): boolean {
  return authorization === undefined || OF_BROWSERS.test(authorization);
}
