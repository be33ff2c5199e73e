import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeys } from '../../shared/store/keys.ts';
import { pathFault } from '../../shared/ticket/path.ts';
import { formatTicket, hashSecret, mintTicket, parseTicket, subjectDigest } from '../../shared/ticket/ticket.ts';
import { codeOf, readText, tableRows } from './pages.ts';

/** The worked example of docs/protocol.md. */
const example = new Map(tableRows(readText('docs/protocol.md')).map(([what = '', value]) => [what, codeOf(value)]));
const of = (what: string): string => example.get(what) ?? '';

test('the worked example of the protocol follows from its subject, random part and secret', () => {
  const sha256 = createHash('sha256').update(of('subject')).digest('base64url');
  expect(of('SHA-256 of the subject, base64url')).toBe(sha256);
  expect(of('digest')).toBe(sha256.slice(0, 11));
  expect(of('id')).toBe(of('digest') + of('random part'));
  expect(of('value')).toBe(`ogt_${of('id')}.${of('secret')}`);
  expect(of('value')).toHaveLength(59);
  expect(of('`secret_sha256`')).toBe(createHash('sha256').update(of('secret')).digest('hex'));
});

test('the code computes the same as the worked example', () => {
  const random = (length: number): string => (length === 11 ? of('random part') : of('secret'));
  const ticket = mintTicket(of('subject'), random);
  expect(subjectDigest(of('subject'))).toBe(of('digest'));
  expect(formatTicket(ticket)).toBe(of('value'));
  expect(parseTicket(of('value'))).toEqual({ id: of('id'), secret: of('secret') });
  expect(hashSecret(ticket.secret)).toBe(of('`secret_sha256`'));
  expect(createKeys('oncegate:').ticket(ticket.id)).toBe(of('key of the record'));
});

test('every example of a path with two readings has them, and each reading has its example', () => {
  const [, section = ''] = /^#### Paths that have two readings$(.*?)^#/ms.exec(readText('docs/protocol.md')) ?? [];
  const examples = tableRows(section).map(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
  );
  const faults = examples.map((paths) => paths.map((path) => pathFault(path)));

  expect(examples.length).toBeGreaterThan(0);
  expect(faults.flat()).not.toContain(undefined);
  expect(new Set(faults.flat()).size).toBeGreaterThanOrEqual(examples.length);
});
