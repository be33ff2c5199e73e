import { build } from './build.mjs';
import { absentPrograms, searchPath } from './programs.mjs';

/**
 * Before tests that start processes, however vitest was started: dist/ is built if a source has
 * changed, and what this machine lacks is known. Nothing is installed.
 */
export default function setup() {
  process.env.PATH = searchPath;
  process.env.ONCEGATE_MISSING ??= absentPrograms()
    .map(({ name }) => name)
    .join(',');
  build();
}
