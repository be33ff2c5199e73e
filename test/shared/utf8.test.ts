import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { closingOf } from '../../services/gateway/wires/own-frames.ts';
import { readTextFile } from '../../shared/files/text-file.ts';
import { loadSettings } from '../../shared/settings/load.ts';
import { utf8Json, utf8Text } from '../../shared/utf8.ts';
import { temporaryFile } from '../support/machine/temporary-file.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('bytes that are not UTF-8', () => {
  test.each([
    ['a name in Latin-1', latin1('Zo\xeb')],
    ['another one', latin1('Zo\xe9')],
    ['a character that is cut off', latin1('\xe2\x82')],
    ['an overlong form', latin1('\xc0\xaf')],
    ['a lone surrogate', latin1('\xed\xa0\x80')],
    ['a character beyond Unicode', latin1('\xf4\x90\x80\x80')],
  ])('are no text, JSON, file or reason: %s', (_name, bytes) => {
    const quoted = Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')]);
    const path = temporaryFile('');

    expect([utf8Text(bytes), utf8Json(quoted)]).toEqual([undefined, undefined]);
    expect(closingOf({ payload: Buffer.concat([Buffer.from([3, 232]), bytes]), mask: undefined })).toEqual({
      code: 1000,
      reason: '',
    });
    writeFileSync(path, Buffer.concat([Buffer.from('ada'), bytes]));
    expect(() => readTextFile(path)).toThrow('is not UTF-8');
    const loaded = loadSettings({ AUTH_USERS_FILE: path }, []);
    expect(loaded.ok ? [] : loaded.faults).toEqual([
      expect.stringMatching(/^AUTH_USERS_FILE: must be the path of a readable file in UTF-8/),
    ]);
  });
});

test('a byte order mark stays in a text, and JSON may begin with one', () => {
  expect(utf8Text(Buffer.from('\uFEFFada'))).toBe('\uFEFFada');
  expect(utf8Json(Buffer.from('\uFEFF{"a":1}'))).toEqual({ a: 1 });
  expect(utf8Json(Buffer.from('{"a":'))).toBeUndefined();
});
