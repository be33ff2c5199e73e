import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './run.mjs';

/**
 * Writes the declarations for `require`, which package.json names: Node gives CommonJS the same module, but TypeScript
 * takes declarations that end in `.d.ts` for those of a module that cannot be required (TS1479).
 */
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
for (const { require } of Object.values(exports)) {
  if (require === undefined) continue;
  const module = await import(pathToFileURL(join(root, require.default)).href);
  writeFileSync(join(root, require.types), declarationsOf(module, `./${require.default.split('/').at(-1)}`));
}

/** Types come with `export type *`. What is a value too has to be named. */
function declarationsOf(module, file) {
  const from = `from '${file}' with { 'resolution-mode': 'import' };`;
  const lines = [`import type * as all ${from}`, `export type * ${from}`];
  for (const [name, value] of Object.entries(module)) {
    lines.push(`export declare const ${name}: typeof all.${name};`);
    if (/^class\b/.test(Function.prototype.toString.call(value))) lines.push(`export type ${name} = all.${name};`);
  }
  return `${lines.join('\n')}\n`;
}
