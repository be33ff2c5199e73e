import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { figures } from './figures.mjs';
import { markdownPage } from './markdown-page.mjs';

/**
 * Writes the page of a run, its figures and its numbers, and removes the figures of an earlier run.
 *
 * @param {import('./summarise.mjs').Result} result
 * @param {string} folder
 */
export function writePage(result, folder) {
  const drawn = figures(result);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.svg'))) rmSync(join(folder, name));
  for (const { name, svg } of drawn) if (svg !== undefined) writeFileSync(join(folder, `${name}.svg`), svg);
  writeFileSync(join(folder, 'README.md'), markdownPage(result, drawn));
  writeFileSync(join(folder, 'result.json'), `${JSON.stringify(result, null, 1)}\n`);
}
