import type { IncomingMessage } from 'node:http';
import type { Network } from '../../../shared/http/address.ts';
import type { RefusalCode } from '../../../shared/refusals.ts';

/** The caller, and what its credentials allow. */
export interface Principal {
  readonly subject: string;
  /** When the credentials expire, Unix ms; absent if they do not. */
  readonly expiresAt?: number;
  /** Claims of the credentials that `AUTH_CLAIMS` copies into tickets. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The browser sends these credentials by itself, even if another site made it send the request: see csrf.ts. */
  readonly ambient?: true;
  /** What an API key allows beyond its own subject; absent for other credentials. */
  readonly delegation?: Delegation;
}

/** Whether a caller may have to do with tickets of a subject: itself, or a subject that its key allows. */
export function mayActFor(principal: Principal, subject: string): boolean {
  return subject === principal.subject || principal.delegation?.mayActFor(subject) === true;
}

/** Whether a caller may have to do with tickets for an audience. Only keys are limited, and then need one. */
export function mayUseAudience({ delegation }: Principal, audience: string | undefined): boolean {
  const { audiences } = delegation ?? {};
  return audiences === undefined || (audience !== undefined && audiences.includes(audience));
}

/** The right to issue for others. */
export interface Delegation {
  mayActFor(subject: string): boolean;
  /** The only audiences of its tickets; absent if it may use any. */
  readonly audiences?: readonly string[];
  /** Whether the key is still in force. Asked again right before a ticket is stored. */
  inForce(): boolean;
}

/** Why credentials cannot be checked now. */
type Unavailable = Extract<RefusalCode, 'overloaded' | 'rate_limited' | 'authentication_unavailable'>;

/** What an authenticator found out. It may have asked a counterpart: the issuer, the application, their Redis. */
export type Authentication =
  | { readonly kind: 'principal'; readonly principal: Principal }
  /** The request has no credentials of this kind. */
  | { readonly kind: 'none'; readonly reason?: Reason }
  /** The credentials are wrong, malformed or expired. `challenges` are those of the counterpart, if it sent any. */
  | { readonly kind: 'invalid'; readonly reason: Reason; readonly challenges?: readonly string[] }
  /** The credentials cannot be checked now. */
  | {
      readonly kind: 'unavailable';
      readonly code: Unavailable;
      readonly reason: Reason;
      readonly retryAfterSeconds?: number;
    };

/**
 * Why, for the operator's log and for nobody else: the answer says less. It names claims, settings and expected
 * values, and never repeats the credentials.
 */
type Reason = string;

/** One way to authenticate a caller. */
export interface Authenticator {
  /** The challenge of a 401 (RFC 9110 §11.6.1). `invalid`: credentials of this kind were just found invalid. */
  challenge(invalid: boolean): string;
  /** @param from the network of the client, for work that has to be shared out */
  authenticate(request: IncomingMessage, from: Network): Promise<Authentication>;
}

/** Verifies one kind of Bearer token. */
export interface TokenVerifier {
  /** Answers `none` for a token of another kind. */
  verify(token: string, from: Network): Promise<Authentication>;
}

/** Whether credentials were found wrong, so that their network waits longer. */
export function isFailure({ kind }: Authentication): boolean {
  return kind === 'invalid';
}

export const OVERLOADED: Authentication = {
  kind: 'unavailable',
  code: 'overloaded',
  reason: 'too many checks of credentials are running',
};

/** The credentials of an `Authorization` header (RFC 9110 §11.4); undefined if it has another scheme. */
export function credentialsOf(request: IncomingMessage, scheme: string): string | undefined {
  const header = request.headers.authorization ?? '';
  const space = header.indexOf(' ');
  const [name, rest] = space === -1 ? [header, ''] : [header.slice(0, space), header.slice(space + 1).trim()];
  return name.toLowerCase() === scheme.toLowerCase() ? rest : undefined;
}

const OF_BROWSERS = /^(basic|digest|negotiate|ntlm)\b/i;

/**
 * Whether the browser may have added the credentials by itself. It adds cookies, and the logins that it or
 * its system keeps, to any request that a page makes it send. Any other `Authorization` header was set by a
 * script, which CORS allows to listed origins only.
 */
export function isAmbient(authorization: string | undefined): boolean {
  return authorization === undefined || OF_BROWSERS.test(authorization);
}
