import { chmodSync, cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bin, must, root } from './run.mjs';

/** Compiles into dist/, from nothing: what is no longer in the sources is not in there either. */
export function build() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  must(bin('tsc'), ['-p', 'tsconfig.build.json']);
  must(bin('tsc'), ['-p', 'client/tsconfig.build.json']);
  // One file of the client, for pages without a bundler.
  must(bin('rolldown'), [
    'client/index.ts',
    ...['--file', 'dist/client/oncegate.min.js', '--format', 'esm', '--platform', 'browser', '--minify'],
    ...['--log-level', 'silent'],
  ]);
  buildPlayground();
  cpSync(join(root, 'shared/store/scripts'), join(root, 'dist/shared/store/scripts'), { recursive: true });
  chmodSync(join(root, 'dist/services/operator/cli.js'), 0o755);
}

/** The page: a module, the script of its frame, which no module could be, and what goes with them as it is. */
function buildPlayground() {
  for (const [name, format] of [
    ['page', 'esm'],
    ['frame', 'iife'],
  ]) {
    must(bin('rolldown'), [
      `playground/${name}.ts`,
      ...['--file', `dist/playground/${name}.js`, '--format', format, '--platform', 'browser', '--minify'],
      ...['--log-level', 'silent'],
    ]);
  }
  for (const name of readdirSync(join(root, 'playground')).filter((file) => /\.(?:html|css|svg)$/.test(file))) {
    cpSync(join(root, 'playground', name), join(root, 'dist/playground', name));
  }
}
