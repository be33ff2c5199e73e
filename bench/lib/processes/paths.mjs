import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the bench. */
export const bench = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The folder of the project. */
export const root = join(bench, '..');
