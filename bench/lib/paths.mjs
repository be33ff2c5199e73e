import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The folder of the bench. */
export const bench = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The folder of the project. */
export const root = join(bench, '..');

/**
 * Imports a built module of the project.
 *
 * @param {string} path below dist/, for example `shared/ticket/ticket.js`
 */
export function built(path) {
  return import(pathToFileURL(join(root, 'dist', path)).href);
}
