import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatTicket,
  hashSecret,
  isSubject,
  isTicketId,
  mintAttemptId,
  mintTicket,
  parseTicket,
  splitTicketId,
  subjectDigest,
} from '../../../shared/ticket/ticket.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
const subjects = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 256 });

describe('the digest of a subject', () => {
  // printf ada | openssl dgst -sha256 -binary | base64, in the alphabet of base64url
  test('is the start of its SHA-256 in base64url', () => {
    expect(subjectDigest('ada')).toBe('_e5DDUC9V97');
    expect(subjectDigest('Ünï')).toBe('IWmZ8omO8vb');
  });

  test('has 11 characters of the alphabet, whatever the subject', () => {
    fc.assert(fc.property(subjects, (subject) => /^[A-Za-z0-9_-]{11}$/.test(subjectDigest(subject))));
  });
});

describe('a minted ticket', () => {
  test('takes digest, random part and secret from where it is told', () => {
    const lengths: number[] = [];
    const ticket = mintTicket('ada', (length) => {
      lengths.push(length);
      return 'x'.repeat(length);
    });

    expect(ticket).toStrictEqual({ id: '_e5DDUC9V97xxxxxxxxxxx', secret: 'x'.repeat(32) });
    expect(lengths).toStrictEqual([11, 32]);
  });

  test('is another one every time, of the same subject', () => {
    const tickets = Array.from({ length: 1_000 }, () => mintTicket('ada'));

    expect(new Set(tickets.map(({ id }) => id)).size).toBe(1_000);
    expect(new Set(tickets.map(({ secret }) => secret)).size).toBe(1_000);
    expect(new Set(tickets.map(({ id }) => splitTicketId(id).digest))).toStrictEqual(new Set(['_e5DDUC9V97']));
  });
});

describe('a ticket value', () => {
  test('has 59 characters, all of them unreserved in a URL and legal in a token', () => {
    fc.assert(
      fc.property(subjects, (subject) => {
        const value = formatTicket(mintTicket(subject));
        expect(value).toHaveLength(59);
        expect(value).toMatch(/^ogt_[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{32}$/);
        expect(encodeURIComponent(value)).toBe(value);
      }),
    );
  });

  test('is parsed to the ticket that it was made of', () => {
    fc.assert(
      fc.property(subjects, (subject) => {
        const ticket = mintTicket(subject);
        expect(parseTicket(formatTicket(ticket))).toStrictEqual(ticket);
      }),
    );
  });

  const value = formatTicket(mintTicket('ada'));

  test('is refused with any one character too many', () => {
    for (const extra of ['a', '.', ' ', '\n', '\0', '=', 'é', '\u{1d54f}']) {
      for (let at = 0; at <= value.length; at += 1) {
        expect(parseTicket(value.slice(0, at) + extra + value.slice(at)), `${extra} at ${at}`).toBeNull();
      }
    }
  });

  test('is refused with any one character missing', () => {
    for (let at = 0; at < value.length; at += 1)
      expect(parseTicket(value.slice(0, at) + value.slice(at + 1))).toBeNull();
  });

  test('is refused with any one character out of place or out of the alphabet', () => {
    const dot = 4 + 22;
    for (let at = 0; at < value.length; at += 1) {
      for (let unit = 0; unit < 0x180; unit += 1) {
        const character = String.fromCharCode(unit);
        const changed = value.slice(0, at) + character + value.slice(at + 1);
        const fits = at < 4 || at === dot ? character === value[at] : ALPHABET.includes(character);
        expect(parseTicket(changed) !== null, JSON.stringify([at, character])).toBe(fits);
      }
    }
  });

  test('is refused where it is something else altogether', () => {
    for (const other of ['', 'ogt_', '.', `Ticket ${value}`, value.toUpperCase(), `${value}${value}`, ` ${value}`]) {
      expect(parseTicket(other)).toBeNull();
    }
    fc.assert(fc.property(fc.string({ maxLength: 80 }), (other) => parseTicket(other) === null));
  });

  test('becomes another ticket when one character of the alphabet becomes another', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 58 }), fc.constantFrom(...ALPHABET), (at, character) => {
        fc.pre(at !== 26 && character !== value[at]);
        const parsed = parseTicket(value.slice(0, at) + character + value.slice(at + 1));
        expect(parsed).not.toBeNull();
        expect(parsed).not.toStrictEqual(parseTicket(value));
      }),
    );
  });
});

describe('a ticket id', () => {
  test('has 22 characters of the alphabet', () => {
    const { id } = mintTicket('ada');

    expect(isTicketId(id)).toBe(true);
    for (const other of [
      '',
      id.slice(1),
      `${id}a`,
      `${id}\n`,
      `~${id.slice(1)}`,
      `${id.slice(1)}.`,
      `${id.slice(1)}é`,
    ]) {
      expect(isTicketId(other), JSON.stringify(other)).toBe(false);
    }
  });

  test('is split into the digest of its subject and its random part', () => {
    fc.assert(
      fc.property(subjects, (subject) => {
        const { id } = mintTicket(subject);
        const { digest, random } = splitTicketId(id);
        expect(digest).toBe(subjectDigest(subject));
        expect(digest + random).toBe(id);
        expect(random).toHaveLength(11);
      }),
    );
  });
});

test('the hash of a secret is its SHA-256 in lower-case hex', () => {
  // FIPS 180-2, appendix B.1
  expect(hashSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('an attempt id is new every time and has no colon, which ends it on the record', () => {
  const ids = Array.from({ length: 1_000 }, () => mintAttemptId());

  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{16}$/);
});

describe('a subject', () => {
  test('has 1 to 256 characters', () => {
    expect(isSubject('')).toBe(false);
    expect(isSubject('a')).toBe(true);
    expect(isSubject('\u{1d54f}'.repeat(256))).toBe(true);
    expect(isSubject('a'.repeat(257))).toBe(false);
  });

  test('has no control character', () => {
    for (let unit = 0; unit < 0x100; unit += 1) {
      const isControl = unit < 0x20 || (unit >= 0x7f && unit < 0xa0);
      expect(isSubject(`a${String.fromCharCode(unit)}b`), `U+${unit.toString(16)}`).toBe(!isControl);
    }
  });

  test('is well-formed, so that two of them never have one digest', () => {
    expect(isSubject('\ud800')).toBe(false);
    expect(isSubject('a\udfff')).toBe(false);
  });
});
