import { chmodSync, cpSync, rmSync } from 'node:fs';
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
  cpSync(join(root, 'shared/store/scripts'), join(root, 'dist/shared/store/scripts'), { recursive: true });
  chmodSync(join(root, 'dist/services/operator/cli.js'), 0o755);
}
