import { execFile } from 'node:child_process';
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../support/machine/temporary-file.ts';

const root = join(import.meta.dirname, '..', '..', '..');

/** A project in a folder of its own that depends on this package. */
export interface FixtureProject {
  /**
   * Compiles TypeScript files. Resolves with the diagnostics, one a line.
   *
   * @param module the option of the compiler; default: `nodenext`
   */
  compile(files: Readonly<Record<string, string>>, module?: string): Promise<string[]>;
  /** Runs a module in Node, or a CommonJS script. Resolves with its output. */
  run(source: string, type?: 'module' | 'commonjs'): Promise<string>;
}

export function createFixtureProject(): FixtureProject {
  const folder = realpathSync(temporaryDirectory());
  mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', 'oncegate'));
  for (const name of ['ws', '@types/ws', '@types/node', 'undici-types']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  };
  return {
    async compile(files, module = 'nodenext') {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...compilerOptions, module }, files: Object.keys(files) }),
      );
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const { stdout } = await runNode(folder, [tsc, '-p', folder, '--pretty', 'false']);
      return stdout.split('\n').filter((line) => line !== '' && !line.startsWith(' '));
    },
    async run(source, type = 'module') {
      const { stdout, stderr, failed } = await runNode(folder, [`--input-type=${type}`, '--eval', source]);
      if (failed) throw new Error(stderr);
      return stdout;
    },
  };
}

function runNode(cwd: string, args: string[]): Promise<{ stdout: string; stderr: string; failed: boolean }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd }, (error, stdout, stderr) =>
      resolve({ stdout, stderr, failed: error !== null }),
    );
  });
}
