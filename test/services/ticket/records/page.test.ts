import { describe, expect, test } from 'vitest';
import { formatCursor, parsePage } from '../../../../services/ticket/records/page.ts';

const POSITION = { id: '_e5DDUC9V97exampleRand', issuedAt: 1_795_489_203_074 };
const CURSOR = formatCursor(POSITION);

const pointersOf = (url: string): string[] => {
  const parsed = parsePage(url);
  return parsed.ok ? [] : parsed.errors.map(({ pointer }) => pointer);
};

describe('a page of a list', () => {
  test.each([
    ['/tickets', { limit: 50, after: undefined }],
    ['/tickets?', { limit: 50, after: undefined }],
    ['/tickets?limit=1', { limit: 1, after: undefined }],
    ['/tickets?limit=200', { limit: 200, after: undefined }],
    ['/tickets?state=open&x=1', { limit: 50, after: undefined }],
    [`/tickets?cursor=${CURSOR}&limit=7`, { limit: 7, after: POSITION }],
  ])('is read from %s', (url, page) => {
    expect(parsePage(url)).toStrictEqual({ ok: true, page });
  });

  test.each(['', '0', '-1', '201', '1000', '1.5', '1e2', ' 5', '05', 'all', '%00', '10&limit=10'])(
    'is refused with the limit %j',
    (limit) => {
      expect(pointersOf(`/tickets?limit=${limit}`)).toStrictEqual(['#/limit']);
    },
  );

  test.each([
    '',
    'x',
    `${CURSOR}=`,
    `${CURSOR}A`,
    CURSOR.slice(0, -1),
    ` ${CURSOR}`,
    `${CURSOR}&cursor=${CURSOR}`,
    POSITION.id,
    Buffer.from(`1:${POSITION.id}x`).toString('base64url'),
    Buffer.from(`01:${POSITION.id}`).toString('base64url'),
    Buffer.from(`-1:${POSITION.id}`).toString('base64url'),
    'A'.repeat(10_000),
  ])('is refused with the cursor %.60j', (cursor) => {
    expect(pointersOf(`/tickets?cursor=${cursor}`)).toStrictEqual(['#/cursor']);
  });

  test('is refused for both at once', () => {
    expect(pointersOf('/tickets?limit=x&cursor=x')).toStrictEqual(['#/limit', '#/cursor']);
  });
});
