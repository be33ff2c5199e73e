import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { atEnd } from '../machine/teardown.ts';

export interface Command {
  readonly child: ChildProcessWithoutNullStreams;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program with an environment of its own; it is killed with the test, or the test file. */
export function startCommand(program: string, args: readonly string[], options: CommandOptions = {}): Command {
  const { cwd = import.meta.dirname, env = {} } = options;
  const child = spawn(program, args, { cwd, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => {}); // it may end before it has read everything
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
  atEnd(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, stdout: () => stdout, stderr: () => stderr, exited };
}

/** Starts the built `oncegate`. */
export function startOncegate(args: readonly string[], options?: CommandOptions): Command {
  const main = join(import.meta.dirname, '../../../dist/services/operator/cli.js');
  return startCommand(process.execPath, [main, ...args], options);
}

/** Runs `oncegate` with a text as its standard input until it ends. */
export async function oncegate(
  args: readonly string[],
  { input = '', ...options }: CommandOptions & { readonly input?: string } = {},
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const command = startOncegate(args, options);
  command.child.stdin.end(input);
  return { code: await command.exited, stdout: command.stdout(), stderr: command.stderr() };
}
