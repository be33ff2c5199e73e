import { chmodSync, cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, isBuilt, stamp } from './build-stamp.mjs';
import { bin, must, root, say } from './run.mjs';

/** Everything that decides what is built. The lock file stands for the compiler and the bundler. */
const SOURCES = [
  ...['services', 'shared', 'client', 'playground', 'scripts/lib'],
  ...['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'],
];

const output = join(root, 'dist');

/** Builds dist/, unless it holds a complete build of the same sources already. */
export function build() {
  const sources = digestOf(root, SOURCES);
  if (isBuilt(output, sources)) return;
  say('building');
  // From an empty folder, so that nothing of a removed source is left.
  rmSync(output, { recursive: true, force: true });
  must(bin('tsc'), ['-p', 'tsconfig.build.json']);
  must(bin('tsc'), ['-p', 'client/tsconfig.build.json']);
  must(process.execPath, ['scripts/lib/require-types.mjs']);
  // The client in one file, for pages without a bundler.
  bundle('client/index.ts', 'dist/client/oncegate.min.js', 'esm');
  buildPlayground();
  cpSync(join(root, 'shared/store/scripts'), join(output, 'shared/store/scripts'), { recursive: true });
  chmodSync(join(output, 'services/operator/cli.js'), 0o755);
  stamp(output, sources);
}

/** The page is a module. The script of its sandboxed frame is none, because a module could not be loaded there. */
function buildPlayground() {
  bundle('playground/page.ts', 'dist/playground/page.js', 'esm');
  bundle('playground/frame.ts', 'dist/playground/frame.js', 'iife');
  for (const name of readdirSync(join(root, 'playground')).filter((file) => /\.(?:html|css|svg)$/.test(file))) {
    cpSync(join(root, 'playground', name), join(output, 'playground', name));
  }
}

function bundle(source, file, format) {
  must(
    bin('rolldown'),
    [source, '--file', file, '--format', format, '--platform', 'browser', '--minify', '--log-level', 'silent'],
    // It lists its files on stdout, whatever its log level. Errors go to stderr.
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
}
