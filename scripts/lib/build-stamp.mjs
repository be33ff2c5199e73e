import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The stamp of a build, inside its output folder: two digests, of the sources and of everything that was built. */
export const STAMP = '.build.json';

/**
 * The digest of files and folders: names, contents, and whether a file is executable. Times do not count.
 *
 * @param {string} root the folder that the paths are relative to
 * @param {readonly string[]} paths a path that does not exist counts as empty
 */
export function digestOf(root, paths) {
  const hash = createHash('sha256');
  for (const path of paths) addTo(hash, root, path);
  return hash.digest('hex');
}

/**
 * Whether a folder holds a complete build of sources that have this digest. A build that failed, was interrupted or
 * was changed afterwards is none.
 */
export function isBuilt(output, sourcesDigest) {
  try {
    const { sources, built } = JSON.parse(readFileSync(join(output, STAMP), 'utf8'));
    return sources === sourcesDigest && built === outputDigest(output);
  } catch {
    return false; // no stamp, or one that was not written completely
  }
}

/**
 * Marks a folder as completely built. It comes last in a build.
 *
 * @param sourcesDigest as it was before the build, so that a source that changed meanwhile leads to another build
 */
export function stamp(output, sourcesDigest) {
  const content = { sources: sourcesDigest, built: outputDigest(output) };
  writeFileSync(join(output, STAMP), `${JSON.stringify(content)}\n`);
}

function outputDigest(output) {
  const names = readdirSync(output).filter((name) => name !== STAMP);
  return digestOf(output, names.sort());
}

function addTo(hash, root, path) {
  const stat = lstatSync(join(root, path), { throwIfNoEntry: false });
  if (stat?.isDirectory()) {
    const names = readdirSync(join(root, path)).filter((name) => name !== 'node_modules');
    for (const name of names.sort()) addTo(hash, root, `${path}/${name}`);
  } else if (stat !== undefined) {
    const content = readFileSync(join(root, path));
    const executable = (stat.mode & 0o100) !== 0;
    // The length tells where a content ends and the next name begins.
    hash.update(JSON.stringify([path, executable, content.length])).update(content);
  }
}
