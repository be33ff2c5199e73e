import { hash } from 'node:crypto';
import { nanoid } from 'nanoid';

/**
 * The ticket: `ogt_<id>.<secret>`, 59 characters, all of them legal in a URL query (RFC 3986 §3.4)
 * and in a subprotocol token (RFC 9110 §5.6.2). The id is public; the value is never logged.
 */

/** The prefix of every ticket value: secret scanners and log scrubbers find tickets by it. */
export const TICKET_PREFIX = 'ogt_';
const DIGEST_LENGTH = 11;
const RANDOM_LENGTH = 11;
/** Characters of a ticket id. */
export const ID_LENGTH = DIGEST_LENGTH + RANDOM_LENGTH;
const SECRET_LENGTH = 32;

/** The form of a ticket id, as the source of a regular expression. */
export const TICKET_ID = `[A-Za-z0-9_-]{${ID_LENGTH}}`;
const ID = new RegExp(`^${TICKET_ID}$`);
const VALUE = new RegExp(`^${TICKET_PREFIX}${TICKET_ID}\\.[A-Za-z0-9_-]{${SECRET_LENGTH}}$`);

export interface Ticket {
  /** Public ticket id, 22 characters; also the id of the connection that the ticket buys. */
  readonly id: string;
  /** 32 characters, 192 bits. Never stored and never logged. */
  readonly secret: string;
}

/** Whether a string may be a subject: 1 to 256 characters (code points), none of them a control character. */
export function isSubject(value: string): boolean {
  return value.isWellFormed() && /^[^\p{Cc}]{1,256}$/u.test(value);
}

/**
 * SHA-256 of the subject (UTF-8) as base64url, truncated to 11 characters: the hash tag of its Redis keys. It chooses
 * a slot and nothing else, for two subjects may share it.
 */
export function subjectDigest(subject: string): string {
  return hash('sha256', subject, 'base64url').slice(0, DIGEST_LENGTH);
}

/**
 * A new ticket for a subject.
 *
 * @param random returns a URL-safe random string of a given length; tests pass their own
 */
export function mintTicket(subject: string, random: (length: number) => string = nanoid): Ticket {
  return { id: subjectDigest(subject) + random(RANDOM_LENGTH), secret: random(SECRET_LENGTH) };
}

/** The ticket value: what the client presents. */
export function formatTicket(ticket: Ticket): string {
  return `${TICKET_PREFIX}${ticket.id}.${ticket.secret}`;
}

/** Parses a ticket value; null if it does not have the form of one. */
export function parseTicket(value: string): Ticket | null {
  if (!VALUE.test(value)) return null;
  const dot = TICKET_PREFIX.length + ID_LENGTH;
  return { id: value.slice(TICKET_PREFIX.length, dot), secret: value.slice(dot + 1) };
}

/** Whether a string has the form of a ticket id. */
export function isTicketId(value: string): boolean {
  return ID.test(value);
}

/** The two parts of an id: the digest of its subject and its random part. */
export function splitTicketId(id: string): { readonly digest: string; readonly random: string } {
  return { digest: id.slice(0, DIGEST_LENGTH), random: id.slice(DIGEST_LENGTH) };
}

/** SHA-256 of a secret in lower-case hex: the only form in which a secret is stored or sent to Redis. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** A new id for one attempt of a gateway to consume a ticket: the same attempt gets the same answer. */
export function mintAttemptId(): string {
  return nanoid(16);
}
