import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Admitted } from '../../../shared/store/store.ts';

/** Whom a connection acts for, as the back end is told. */
export interface Identity {
  readonly ticketId: string;
  readonly subject: string;
  readonly audience: string | undefined;
  /** Claims that somebody vouches for: the text of a JSON object, as it was issued. */
  readonly claims: string;
  /** Claims that the caller itself asked for, likewise. */
  readonly clientClaims: string;
}

export function identityOf(ticketId: string, admitted: Admitted): Identity {
  const { subject, audience, claims = '{}', clientClaims = '{}' } = admitted;
  return { ticketId, subject, audience, claims, clientClaims };
}

/** The prefix of all identity headers, in lower case. No client may send a header with it, not even one of a later version. */
export const IDENTITY_PREFIX = 'oncegate-';

/** A key to sign identities with. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly algorithm: string;
  /** RFC 7638 thumbprint of the public key. */
  readonly keyId: string;
}

/** Short, because a signed identity is read during the handshake only. */
const SIGNED_FOR_SECONDS = 30;

/**
 * All identity headers, empty ones included, so that a header from a client is never taken for one. The
 * subject is percent-encoded (RFC 3986 §2.1), except visible ASCII without `%`: all servers read those
 * characters alike in a header.
 */
export async function identityHeaders(
  identity: Identity,
  signing: SigningKey | undefined,
): Promise<Array<readonly [name: string, value: string]>> {
  const headers: Array<readonly [string, string]> = [
    ['Oncegate-Subject', headerText(identity.subject)],
    ['Oncegate-Ticket-Id', identity.ticketId],
    ['Oncegate-Claims', base64url(identity.claims)],
    ['Oncegate-Client-Claims', base64url(identity.clientClaims)],
  ];
  if (signing === undefined) headers.push(['Oncegate-Identity', '']);
  else headers.push(['Oncegate-Identity', await signedIdentity(identity, signing)]);
  return headers;
}

function signedIdentity(identity: Identity, { key, algorithm, keyId }: SigningKey): Promise<string> {
  // Both are JSON objects of at most 4,096 bytes, checked when the ticket was issued.
  const token = new SignJWT({
    claims: JSON.parse(identity.claims),
    client_claims: JSON.parse(identity.clientClaims),
  })
    .setProtectedHeader({ alg: algorithm, kid: keyId, typ: 'oncegate-identity+jwt' })
    .setIssuer('oncegate')
    .setSubject(identity.subject)
    .setJti(identity.ticketId)
    .setIssuedAt()
    .setExpirationTime(`${SIGNED_FOR_SECONDS}s`);
  return (identity.audience === undefined ? token : token.setAudience(identity.audience)).sign(key);
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function headerText(text: string): string {
  return text.replace(/[^!-$&-~]/gu, (character) => encodeURIComponent(character.toWellFormed()));
}
