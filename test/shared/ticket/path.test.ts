import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodedPath, pathFault } from '../../../shared/ticket/path.ts';
import { ORDINARY, TWO_READINGS } from '../../support/hostile/paths.ts';

describe.each(Object.entries(TWO_READINGS))('attack: a path with %s', (_kind, paths) => {
  test.each(paths)('is at fault: %j', (path) => {
    expect(pathFault(path)).toMatch(/^must /);
  });
});

test.each(ORDINARY)('an ordinary path has no fault: %j', (path) => {
  expect(pathFault(path)).toBeUndefined();
});

test('is checked whatever its length, by no pattern that explodes', () => {
  const long = ['/a'.repeat(8_000), `/${'a.'.repeat(8_000)}`, `/${'.'.repeat(16_000)}`, `/${'%20'.repeat(5_000)}`];

  for (const path of long) {
    expect(pathFault(path)).toBeUndefined();
    expect(pathFault(`${path}%`)).toMatch(/^must /);
    expect(pathFault(`${path}/..`)).toMatch(/^must /);
  }
});

describe('the decoded path', () => {
  test.each([
    ['/chat/7', '/chat/7'],
    ['/chat/', '/chat/'],
    ['/user/ada%40example.org', '/user/ada@example.org'],
    ['/room;v=1/7;w', '/room/7'],
    ['/room%3Bv=1/7', '/room/7'],
    ['/caf%C3%A9', '/caf\u00e9'],
    ['/100%25', '/100%'],
    ['/admin.', '/admin'],
    ['/admin%20', '/admin'],
    ['/v1./x.%20/y', '/v1/x/y'],
    ['/.../x', '/.../x'],
    ['/a.b/.c', '/a.b/.c'],
  ])('of %j is %j', (path, decoded) => {
    expect(decodedPath(path)).toBe(decoded);
  });

  test('of a path without fault has the same segments, none of them empty or of dots', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\/(?:[a-z.;/~]|%[0-9a-fA-F]{2}){0,12}$/), (path) => {
        fc.pre(pathFault(path) === undefined);
        const decoded = decodedPath(path);
        const segments = decoded.split('/').slice(1);
        expect(segments.length).toBe(path.split('/').length - 1);
        expect(segments.slice(0, -1).some((segment) => /^\.{0,2}$/.test(segment))).toBe(false);
        expect(/^\.{1,2}$/.test(segments.at(-1) ?? '')).toBe(false);
        expect(decoded).not.toMatch(/[\\\p{Cc}]/u);
      }),
    );
  });
});
