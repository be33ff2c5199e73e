import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { root, say } from './lib/run.mjs';

// Writes the pages that are generated from the tables. With --check it writes nothing: it names stale pages
// and fails.
const check = process.argv.includes('--check');

ensureInstalled();
build();
const { pages } = await import('./lib/docs/pages.mjs'); // needs the build

const stale = Object.entries(pages()).filter(([path, content]) => read(path) !== content);
for (const [path, content] of stale) {
  say(check ? `${path} is stale: run npm run docs, and commit what it writes` : `writing ${path}`);
  if (!check) writeFileSync(join(root, path), content);
}
if (check && stale.length > 0) process.exit(1);

function read(path) {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined;
}
