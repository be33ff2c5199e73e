import type { IncomingMessage } from 'node:http';

/** Who the caller is. */
export interface Principal {
  readonly subject: string;
  /** When the credentials expire, Unix ms; absent where they do not. */
  readonly expiresAt?: number;
}

export type Authentication =
  | { readonly kind: 'principal'; readonly principal: Principal }
  /** The request has no credentials of this kind. */
  | { readonly kind: 'none' }
  /** It has, and they are wrong, malformed or expired. */
  | { readonly kind: 'invalid' }
  /** It has, and they cannot be checked now. */
  | { readonly kind: 'unavailable'; readonly code: 'overloaded' };

/** One way to authenticate a caller. */
export interface Authenticator {
  /** The challenge of a 401 (RFC 9110 §11.6.1); `invalid` when credentials of this kind were just found so. */
  challenge(invalid: boolean): string;
  authenticate(request: IncomingMessage): Promise<Authentication>;
}

/** The credentials of an `Authorization` header of one scheme (RFC 9110 §11.4), or undefined where it has another. */
export function credentialsOf(request: IncomingMessage, scheme: string): string | undefined {
  const header = request.headers.authorization ?? '';
  const space = header.indexOf(' ');
  const [name, rest] = space === -1 ? [header, ''] : [header.slice(0, space), header.slice(space + 1).trim()];
  return name.toLowerCase() === scheme.toLowerCase() ? rest : undefined;
}
