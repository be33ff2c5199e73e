import { describe, expect, test } from 'vitest';
import { endOf, subjectAt } from '../../../../services/ticket/authenticators/identity.ts';

const URI = 'https://example.org/user_id';

describe('the place of the subject', () => {
  test.each<readonly [path: string, identity: unknown, subject: string | undefined]>([
    ['sub', { sub: 'ada' }, 'ada'],
    ['sub', { sub: 7 }, '7'],
    ['passport.user.id', { passport: { user: { id: 'ada' } } }, 'ada'],
    [URI, { [URI]: 'ada' }, 'ada'],
    [URI, { 'https://example': { 'org/user_id': 'ada' } }, 'ada'],
    // The whole name comes first.
    ['user.id', { 'user.id': 'whole', user: { id: 'path' } }, 'whole'],
    ['https://example.org/app.user.id', { 'https://example.org/app': { user: { id: 'ada' } } }, 'ada'],
    ['app.https://example.org/id', { app: { 'https://example.org/id': 'ada' } }, 'ada'],
    // A name that is there decides, whatever it holds.
    ['user.id', { 'user.id': {}, user: { id: 'path' } }, undefined],
    ['a.b.c', { 'a.b': {}, a: { b: { c: 'path' } } }, undefined],
    ['sub', {}, undefined],
    ['sub', null, undefined],
    ['sub', ['ada'], undefined],
    ['constructor.name', {}, undefined],
    ['sub', { sub: 2 ** 60 }, undefined],
  ])('%s in %j', (path, identity, subject) => {
    expect(subjectAt(identity, path)).toBe(subject);
  });
});

describe('an end of credentials', () => {
  test.each<readonly [value: unknown, unitMs: 1 | 1_000, end: unknown]>([
    [undefined, 1_000, { ok: true }],
    [1_795_951_295.5, 1_000, { ok: true, at: 1_795_951_295_500 }],
    [1_795_951_295.0009, 1_000, { ok: true, at: 1_795_951_295_000 }],
    [1.9, 1, { ok: true, at: 1 }],
    [-0.5, 1, { ok: true, at: -1 }],
    [1e308, 1_000, { ok: true, at: 8.64e15 }],
    [-1e308, 1_000, { ok: true, at: -8.64e15 }],
    ...['1795951416', '', null, true, {}, [1], Number.NaN, Number.POSITIVE_INFINITY, 5n, new Date()].map(
      (value) => [value, 1_000, { ok: false }] as const,
    ),
  ])('%o in units of %i ms', (value, unitMs, end) => {
    expect(endOf(value, unitMs)).toEqual(end);
  });
});
