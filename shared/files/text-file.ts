import { readFileSync } from 'node:fs';
import { utf8Text } from '../utf8.ts';

/** The text of a file. Throws if it cannot be read, or is not UTF-8: a name in it would be read as another. */
export function readTextFile(path: string): string {
  const text = utf8Text(readFileSync(path));
  if (text === undefined) throw new Error(`${path} is not UTF-8`);
  return text;
}
