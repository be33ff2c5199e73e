import { renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ParsedFile, WatchedFile } from '../../../shared/files/watched-file.ts';
import { temporaryFile } from '../../support/machine/temporary-file.ts';

let path: string;
let faults: Array<readonly string[]>;
let reads: number;

beforeEach(() => {
  path = temporaryFile('one');
  faults = [];
  reads = 0;
});

/** Takes anything but what begins with `bad`. */
function parse(content: string): ParsedFile<string> {
  reads += 1;
  return content.startsWith('bad') ? { ok: false, faults: [content] } : { ok: true, value: content };
}

const watch = (): WatchedFile<string> =>
  new WatchedFile({ path, parse, onFaults: (found) => void faults.push(found) }, 'initial');

/** As the command line writes it: a new file in the place of the old one. */
function replace(content: string): void {
  writeFileSync(`${path}.next`, content);
  renameSync(`${path}.next`, path);
}

describe('a watched file', () => {
  test('is not read before somebody looks, and once for as long as it stays the same', () => {
    const file = watch();
    expect(reads).toBe(0);

    expect([file.current(), file.current(), file.current()]).toEqual(['one', 'one', 'one']);
    expect(reads).toBe(1);
  });

  test('is read again once it was replaced, though its size and its time are the same', () => {
    const file = watch();
    file.current();
    const { atime, mtime } = statSync(path);
    utimesSync(path, atime, mtime);
    file.current();
    writeFileSync(`${path}.next`, 'two');
    utimesSync(`${path}.next`, atime, mtime);
    renameSync(`${path}.next`, path);

    expect(file.current()).toBe('two');
  });

  test('is read again once something was written behind its end', () => {
    const file = watch();
    file.current();
    writeFileSync(path, ' more', { flag: 'a' });

    expect(file.current()).toBe('one more');
  });

  test('keeps what it was while it is bad, and says why once', () => {
    const file = watch();
    file.current();
    replace('bad one');
    expect([file.current(), file.current()]).toEqual(['one', 'one']);
    replace('bad two');
    expect(file.current()).toBe('one');
    replace('two');

    expect(file.current()).toBe('two');
    expect(faults).toEqual([['bad one'], ['bad two']]);
  });

  test('is what it was to begin with where it was never good', () => {
    replace('bad');

    expect(watch().current()).toBe('initial');
  });

  test.each<readonly [string, () => void]>([
    ['is gone', () => rmSync(path)],
    [
      'is a directory',
      () => {
        rmSync(path);
        symlinkSync('.', path);
      },
    ],
    [
      'is a link to itself',
      () => {
        rmSync(path);
        symlinkSync(path, path);
      },
    ],
  ])('keeps what it was where it %s, says so once, and is read when it is back', (_name, change) => {
    const file = watch();
    file.current();
    change();
    expect([file.current(), file.current()]).toEqual(['one', 'one']);
    expect(faults).toEqual([['cannot be read']]);
    rmSync(path, { force: true });
    replace('two');

    expect(file.current()).toBe('two');
    expect(faults).toHaveLength(1);
  });

  test('is read again when somebody says so, and tells whether it was good', () => {
    const file = watch();
    file.current();

    expect([file.reload(), reads]).toEqual([true, 2]);
    replace('bad');
    expect([file.reload(), file.current()]).toEqual([false, 'one']);
  });

  test('is at any moment the last good thing that was in it', () => {
    const word = fc.constantFrom('one', 'two', 'six', 'bad', 'bad 2', 'three');
    const step = fc.oneof(
      word.map((content) => ({ what: 'replace', content }) as const),
      fc.constant({ what: 'remove' } as const),
      fc.constant({ what: 'look' } as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        replace('start');
        const file = watch();
        let expected = file.current();
        for (const { what, ...more } of steps) {
          if ('content' in more) {
            replace(more.content);
            if (!more.content.startsWith('bad')) expected = more.content;
          } else if (what === 'remove') rmSync(path, { force: true });
          expect(file.current()).toBe(expected);
        }
      }),
      { numRuns: 200 },
    );
  });
});
